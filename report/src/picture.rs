//! Tensors that are pictures, as pictures.

use crate::markup::{Markup, open};

/// The largest side, in pixels, of what is shown as a picture.
const LARGEST: usize = 1024;
/// Smaller ones are no pictures.
const SMALLEST: usize = 4;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A tensor as a picture, where its shape is that of one: `[.., height, width]` with one or three
/// channels before it, or three behind. The darkest pixel is the smallest element.
pub(crate) fn picture(name: &str, shape: &[u32], values: &[f64]) -> Option<Markup> {
    let image = Image::of(shape, values)?;
    let (height, width) = (image.height, image.width);
    let text = format!("{name} as a picture of {width} by {height} pixels");
    let address = format!("data:image/bmp;base64,{}", base64(&image.bmp(values)));
    let attributes: &[(&str, &dyn std::fmt::Display)] = &[
        ("class", &"picture"),
        ("src", &address),
        ("alt", &text),
        ("width", &width),
        ("height", &height),
    ];
    Some(open("img", attributes))
}

/// Where the pixels of a picture lie in its tensor.
struct Image {
    height: usize,
    width: usize,
    channels: usize,
    /// Whether channels are the last dimension.
    is_channels_last: bool,
}

impl Image {
    fn of(shape: &[u32], values: &[f64]) -> Option<Self> {
        let shape = shape.iter().map(|&side| usize::try_from(side).ok());
        let shape: Vec<usize> = shape.collect::<Option<_>>()?;
        let leading = shape.iter().take_while(|&&side| side == 1).count();
        let (height, width, channels, is_channels_last) = match *shape.get(leading..)? {
            [height, width] => (height, width, 1, false),
            [3, height, width] => (height, width, 3, false),
            [height, width, channels @ (1 | 3)] => (height, width, channels, true),
            _ => return None,
        };
        let is_side = |side: usize| (SMALLEST..=LARGEST).contains(&side);
        if !is_side(height) || !is_side(width) || values.len() != height * width * channels {
            return None;
        }
        Some(Self { height, width, channels, is_channels_last })
    }

    /// The element of a pixel's channel.
    fn index(&self, row: usize, column: usize, channel: usize) -> usize {
        let pixel = row * self.width + column;
        match self.is_channels_last {
            true => pixel * self.channels + channel,
            false => channel * self.height * self.width + pixel,
        }
    }

    /// A bitmap of 24 bits, lowest row first, as the format has it.
    fn bmp(&self, values: &[f64]) -> Vec<u8> {
        const HEADER: usize = 54;
        let row_bytes = (3 * self.width).next_multiple_of(4);
        let size = HEADER + row_bytes * self.height;
        let word = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = Vec::with_capacity(size);
        bytes.extend(b"BM");
        for number in [size, 0, HEADER, 40, self.width, self.height] {
            bytes.extend(word(number));
        }
        // One plane of 24 bits; not compressed.
        bytes.extend([1, 0, 24, 0]);
        for number in [0, row_bytes * self.height, 2835, 2835, 0, 0] {
            bytes.extend(word(number));
        }
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let level = |value: f64| byte(255.0 * (value - low) / (high - low).max(f64::MIN_POSITIVE));
        for row in (0..self.height).rev() {
            let start = bytes.len();
            for column in 0..self.width {
                // Blue, green, red; a grey pixel has its one channel three times.
                for channel in (0..3).rev() {
                    let channel = channel.min(self.channels - 1);
                    bytes.push(level(values[self.index(row, column, channel)]));
                }
            }
            bytes.resize(start + row_bytes, 0);
        }
        bytes
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is no number is black"
)]
fn byte(level: f64) -> u8 {
    level.round() as u8
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let [a, b, c] = group.map(u32::from);
        let bits = a << 16 | b << 8 | c;
        for digit in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or_default();
            text.push(if digit <= chunk.len() { char::from(BASE64[index]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn only_pictures_are_pictures() {
        let is_picture = |shape: &[u32], count| Image::of(shape, &vec![0.0; count]).is_some();
        assert!(is_picture(&[1, 1, 28, 28], 784));
        assert!(is_picture(&[28, 28], 784));
        assert!(is_picture(&[1, 3, 32, 32], 3072));
        assert!(is_picture(&[1, 32, 32, 3], 3072));
        assert!(!is_picture(&[1, 784], 784));
        assert!(!is_picture(&[1, 8, 32, 32], 8192));
        assert!(!is_picture(&[28, 28], 783));
        assert!(!is_picture(&[2048, 4], 8192));
    }

    #[test]
    fn pixels_keep_their_places() {
        let image = Image { height: 4, width: 5, channels: 1, is_channels_last: false };
        let mut values = vec![0.0; 20];
        values[7] = 2.0;
        let bmp = image.bmp(&values);
        // The row of 5 pixels has 16 bytes; the second row from above is the third from below.
        assert_eq!(bmp.len(), 54 + 4 * 16);
        let bright: Vec<usize> = (54..bmp.len()).filter(|&at| bmp[at] == 255).collect();
        assert_eq!(bright, [54 + 2 * 16 + 6, 54 + 2 * 16 + 7, 54 + 2 * 16 + 8]);
    }

    #[test]
    fn a_tensor_of_one_value_is_a_picture_too() {
        let image = Image { height: 4, width: 4, channels: 1, is_channels_last: false };
        assert!(image.bmp(&[0.5; 16]).len() > 54);
        assert!(image.bmp(&[f64::NAN; 16]).len() > 54);
    }
}
