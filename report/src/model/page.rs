//! The page of a model, with its graph.

use super::{ModelReport, NodeReport, Tensor};
use crate::{
    html::{self, bar, count, digits, facts, grouped, section, share, table},
    markup::{Markup, classed, join, tag, tag_with},
};

/// Most layers that are drawn; a larger graph is only listed.
const MOST_DRAWN: usize = 256;
const BOX_WIDTH: usize = 320;
const BOX_HEIGHT: usize = 40;
const STEP: usize = 58;
const MARGIN: usize = 12;
/// How far out a connection bends that passes a layer, and for each layer more.
const BEND: usize = 26;
const BEND_STEP: usize = 8;
const LARGEST_BEND: usize = 220;

impl ModelReport {
    /// The report as one HTML file that needs nothing else.
    #[must_use]
    pub fn page(&self) -> String {
        let summary = facts(&[
            ("File", &format!("{}, {} bytes", self.model, grouped(self.bytes))),
            ("Digest", &digits(&self.model_digest)),
            ("Inputs", &tensors(&self.inputs)),
            ("Outputs", &tensors(&self.outputs)),
            ("Weights", &grouped(self.weights)),
            ("Multiplications", &grouped(self.macs)),
        ]);
        let verdict = tag("strong", "Every operation can be proved");
        let sections = [
            classed("div", "verdict accepted", verdict),
            summary,
            section("Layers, after fusion", self.layers()),
            section("Graph", self.graph()),
        ];
        html::page("What a model computes", sections)
    }

    fn layers(&self) -> Markup {
        let row = |node: &NodeReport| {
            vec![
                join![node.name],
                join![node.op],
                join![format!("{:?}", node.shape)],
                join![grouped(node.weights)],
                join![grouped(node.macs)],
                bar(share(count(node.macs), count(self.macs)), "a"),
            ]
        };
        let rows: Vec<Vec<Markup>> = self.nodes.iter().map(row).collect();
        let heads = ["Layer", "Kind", "Shape", "Weights", "Multiplications", "Share"];
        table("Layers in the order of their computation", &heads, &rows)
    }

    /// The layers below each other; a line goes from each to those that read it, beside the others
    /// where it passes some.
    fn graph(&self) -> Markup {
        let (inputs, nodes) = (self.inputs.len(), self.nodes.len());
        if nodes > MOST_DRAWN {
            return classed("p", "soft", format!("{nodes} layers are too many to draw."));
        }
        let height = (inputs + nodes) * STEP + 2 * MARGIN;
        // A line that passes others needs room beside them.
        let bends =
            self.nodes.iter().zip(inputs..).flat_map(|(node, place)| {
                node.reads.iter().filter_map(move |&from| bend(from, place))
            });
        let widest = bends.max().unwrap_or(0);
        let width = BOX_WIDTH + widest + 2 * MARGIN;
        let of_inputs = self.inputs.iter().enumerate();
        let of_inputs = of_inputs
            .map(|(place, input)| label(place, &input.name, &format!("input {:?}", input.shape)));
        let of_nodes = self.nodes.iter().zip(inputs..).map(|(node, place)| {
            let lines: Markup = node.reads.iter().map(|&from| line(from, place)).collect();
            join![label(place, &node.name, &format!("{} {:?}", node.op, node.shape)), lines]
        });
        let attributes: &[(&str, &dyn std::fmt::Display)] = &[
            ("class", &"graph"),
            ("viewBox", &format_args!("0 0 {width} {height}")),
            ("width", &width),
            ("height", &height),
            ("role", &"img"),
            ("aria-label", &"The graph of the model; the table above lists its layers"),
        ];
        tag_with("svg", attributes, of_inputs.chain(of_nodes).collect::<Markup>())
    }
}

fn tensors(tensors: &[Tensor]) -> String {
    let texts: Vec<String> =
        tensors.iter().map(|tensor| format!("{} {:?}", tensor.name, tensor.shape)).collect();
    texts.join(", ")
}

/// A box with a name, which is cut where it would not fit, and what it is.
fn label(place: usize, name: &str, what: &str) -> Markup {
    const LONGEST: usize = 40;
    let cut = name.char_indices().nth(LONGEST);
    let name = cut.map_or_else(|| name.to_owned(), |(cut, _)| format!("{}…", &name[..cut]));
    let (x, y) = (MARGIN, MARGIN + place * STEP);
    let text = |class: &'static str, y: usize, text: &str| {
        tag_with("text", &[("class", &class), ("x", &(x + 10)), ("y", &y)], text)
    };
    let frame: &[(&str, &dyn std::fmt::Display)] =
        &[("x", &x), ("y", &y), ("width", &BOX_WIDTH), ("height", &BOX_HEIGHT), ("rx", &6)];
    join![tag_with("rect", frame, ""), text("name", y + 17, &name), text("soft", y + 32, what)]
}

/// How far out the line between two boxes bends, where they are not neighbours.
fn bend(from: usize, to: usize) -> Option<usize> {
    let bend = || (BEND + BEND_STEP * to.saturating_sub(from)).min(LARGEST_BEND);
    (to != from + 1).then(bend)
}

/// The line between two boxes: straight to the next, else around those between.
fn line(from: usize, to: usize) -> Markup {
    let bottom = MARGIN + from * STEP + BOX_HEIGHT;
    let top = MARGIN + to * STEP;
    let path = match bend(from, to) {
        None => format!("M{} {bottom}V{top}", MARGIN + 24),
        Some(bend) => {
            let right = MARGIN + BOX_WIDTH;
            let (bend, start, end) = (right + bend, bottom - BOX_HEIGHT / 2, top + BOX_HEIGHT / 2);
            format!("M{right} {start}C{bend} {start} {bend} {end} {right} {end}")
        }
    };
    tag_with("path", &[("d", &path)], "")
}
