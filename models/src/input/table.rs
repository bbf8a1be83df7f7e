//! Tables of numbers as text: one sample a line.

use std::borrow::Cow;
use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::array::{View, names, single};
use super::error::{InputError, TableFault};
use super::labels::{LABELS, LabelFault, Labels};
use super::note::InputNote;
use crate::tensor::TensorSpec;

/// A column of labels may be called so too.
const LABEL: &str = "label";
/// What may separate columns, each before the next: a comma may be part of a number where a
/// semicolon separates.
const SEPARATORS: [u8; 3] = [b';', b'\t', b','];

/// Numbers in lines and columns.
#[derive(Clone, Debug)]
pub(super) struct Table {
    header: Header,
    /// How many columns hold numbers of tensors.
    columns: usize,
    rows: usize,
    /// Line by line, without the labels.
    data: Vec<f32>,
    /// The column of labels, where there is one; `None` inside if they are no whole numbers.
    labels: Option<Option<Vec<i64>>>,
}

/// The first line.
#[derive(Clone, Debug)]
enum Header {
    /// It holds numbers of the first sample.
    None,
    /// It numbers the columns from 0, as tables of numbers without names are saved.
    Numbers,
    /// The names of the columns, without that of the labels.
    Names(Vec<String>),
}

/// Reads a table.
pub(super) fn parse(text: &str) -> Result<Table, InputError> {
    let first = text.trim_start().lines().next().unwrap_or_default();
    let separator = SEPARATORS.into_iter().find(|separator| first.as_bytes().contains(separator));
    let mut reader = ReaderBuilder::new();
    reader.has_headers(false).delimiter(separator.unwrap_or(b' ')).trim(Trim::All).flexible(true);
    let mut reader = reader.from_reader(text.trim_start().as_bytes());
    let mut records = reader.records();
    let first = match records.next() {
        Some(record) => record?,
        None => return Err(InputError::Empty),
    };
    let mut records = records.peekable();
    let header = header(&first, records.peek().is_some());
    let label = match &header {
        Header::Names(names) => names.iter().position(|name| name == LABEL || name == LABELS),
        Header::None | Header::Numbers => None,
    };
    let mut lines =
        Lines { width: first.len(), label, rows: 0, data: Vec::new(), labels: Vec::new() };
    if matches!(header, Header::None) {
        lines.push(&first)?;
    }
    for record in records {
        lines.push(&record?)?;
    }
    Ok(lines.finish(header))
}

/// What the first line is. It names columns if no cell is a number, but for numbers of columns
/// that have no name.
fn header(first: &StringRecord, more: bool) -> Header {
    let mut numbers = 0;
    let mut is_title = |cell: &str| match cell.parse::<f64>() {
        Ok(_) => {
            numbers += 1;
            cell == (numbers - 1).to_string()
        }
        Err(_) => cell.is_empty() || cell.contains(char::is_alphabetic),
    };
    let are_titles = first.iter().all(&mut is_title);
    if are_titles && numbers < first.len() {
        Header::Names(first.iter().map(str::to_owned).collect())
    } else if are_titles && more && numbers > 1 {
        Header::Numbers
    } else {
        Header::None
    }
}

/// The lines read so far.
struct Lines {
    width: usize,
    label: Option<usize>,
    rows: usize,
    data: Vec<f32>,
    labels: Vec<Option<i64>>,
}

impl Lines {
    fn push(&mut self, record: &StringRecord) -> Result<(), InputError> {
        let line = record.position().map_or(0, csv::Position::line);
        let fault = |fault| InputError::Table { line, fault };
        if record.len() != self.width {
            let (expected, got) = (self.width, record.len());
            return Err(fault(TableFault::Width { expected, got }));
        }
        for (column, cell) in record.iter().enumerate() {
            if self.label == Some(column) {
                self.labels.push(whole(cell));
                continue;
            }
            let number = cell.parse().ok().filter(|number: &f64| number.is_finite());
            let number = number.ok_or_else(|| {
                fault(TableFault::NoNumber { column: column + 1, cell: cell.to_owned() })
            })?;
            self.data.push(single(number));
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(self, header: Header) -> Table {
        let Self { width, label, rows, data, labels } = self;
        let header = match (header, label) {
            (Header::Names(mut names), Some(label)) => {
                names.remove(label);
                Header::Names(names)
            }
            (header, _) => header,
        };
        let columns = width - usize::from(label.is_some());
        let labels = label.map(|_| labels.into_iter().collect());
        Table { header, columns, rows, data, labels }
    }
}

/// A label: a whole number, perhaps written as a real one.
#[expect(clippy::cast_possible_truncation, reason = "whole, and less than 2^53")]
fn whole(cell: &str) -> Option<i64> {
    cell.parse().ok().or_else(|| {
        let number: f64 = cell.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 2f64.powi(53)).then_some(number as i64)
    })
}

impl Table {
    /// The table as one set of inputs: one line, or an only input of as many numbers.
    pub(super) fn inputs(&self, specs: &[&TensorSpec]) -> Result<Vec<View<'_>>, InputError> {
        if self.rows == 1 {
            return Ok(self.samples(specs)?.pop().unwrap_or_default());
        }
        match specs {
            [spec] if matches!(self.header, Header::None) && !self.is_samples_of(spec) => {
                let shape =
                    if self.columns == 1 { vec![self.rows] } else { vec![self.rows, self.columns] };
                Ok(vec![View { shape, data: Cow::Borrowed(&self.data) }])
            }
            _ => Err(InputError::Several { got: self.rows }),
        }
    }

    /// Each line as one set of inputs.
    pub(super) fn samples(&self, specs: &[&TensorSpec]) -> Result<Vec<Vec<View<'_>>>, InputError> {
        if let ([spec], Header::None) = (specs, &self.header)
            && !self.is_samples_of(spec)
            && self.data.len() == spec.len()
        {
            // The lines of one image.
            return Ok(vec![self.inputs(specs)?]);
        }
        let places = self.places(specs)?;
        let sample = |row: &[f32]| {
            let tensor = |(spec, columns): (&&TensorSpec, &Vec<usize>)| View {
                shape: spec.shape.clone(),
                data: columns.iter().map(|&column| row[column]).collect::<Vec<_>>().into(),
            };
            specs.iter().zip(&places).map(tensor).collect()
        };
        Ok(self.data.chunks(self.columns.max(1)).map(sample).collect())
    }

    /// The shape of all numbers: one line, one column, or lines of columns.
    pub(super) fn shape(&self) -> Vec<usize> {
        match (self.rows, self.columns) {
            (1, columns) => vec![columns],
            (rows, 1) => vec![rows],
            (rows, columns) => vec![rows, columns],
        }
    }

    fn is_samples_of(&self, spec: &TensorSpec) -> bool {
        self.columns == spec.len()
    }

    /// The columns of each tensor.
    fn places(&self, specs: &[&TensorSpec]) -> Result<Vec<Vec<usize>>, InputError> {
        let wanted = specs.iter().fold(0usize, |sum, spec| sum.saturating_add(spec.len()));
        if wanted != self.columns {
            return Err(InputError::Columns { expected: wanted, got: self.columns });
        }
        if let Header::Names(columns) = &self.header
            && let Some(places) = by_column_name(columns, specs)
        {
            return Ok(places);
        }
        match (specs, &self.header) {
            ([spec], _) => Ok(vec![(0..spec.len()).collect()]),
            (_, Header::Names(found)) => {
                Err(InputError::ColumnNames { expected: names(specs), found: found.clone() })
            }
            _ => Err(InputError::ColumnNames { expected: names(specs), found: Vec::new() }),
        }
    }

    pub(super) fn labels(&self) -> Result<Option<Labels>, LabelFault> {
        match &self.labels {
            None => Ok(None),
            Some(None) => Err(LabelFault::NoClasses),
            Some(Some(classes)) => Ok(Some(Labels::of_samples(classes.clone()))),
        }
    }

    pub(super) fn notes(&self) -> Vec<InputNote> {
        let mut notes = Vec::new();
        if matches!(self.header, Header::Numbers) {
            notes.push(InputNote::NumberedColumns { columns: self.columns });
        }
        notes
    }
}

/// The columns of each tensor by their names: `name` for a single number, else `name[0]`, …; `None`
/// if a name is missing or given twice.
fn by_column_name(columns: &[String], specs: &[&TensorSpec]) -> Option<Vec<Vec<usize>>> {
    let mut places = HashMap::new();
    for (column, name) in columns.iter().enumerate() {
        if places.insert(name.as_str(), column).is_some() {
            return None;
        }
    }
    let place = |name: &str| places.get(name).copied();
    let of = |spec: &&TensorSpec| match (spec.len(), place(&spec.name)) {
        (1, Some(column)) => Some(vec![column]),
        (len, _) => (0..len).map(|index| place(&format!("{}[{index}]", spec.name))).collect(),
    };
    specs.iter().map(of).collect()
}
