//! The search itself.

use std::{cmp::Ordering, collections::BTreeMap};

use ndarray::ArrayD;
use zkinfer_circuits::Objective;
use zkinfer_models::{Agreement, Calibration, Clipping, FloatOutputs};

use super::{
    Calibrated, Goal, settings_of,
    trial::{Choice, Price, Trial},
};
use crate::{
    error::Error,
    keys::plan,
    model::{Model, Origin, Quantized},
    progress::{Step, Watch},
    settings::Options,
};

/// Uniform bits that are tried.
const FEWEST: u32 = 4;
const MOST: u32 = 16;
/// So many layers, those with the most values, are tried with fewer bits of their own.
const MOST_LAYERS: usize = 64;

pub(super) fn search(
    model: &Model,
    samples: &[Vec<ArrayD<f32>>],
    options: &Options,
    goal: &Goal,
    watch: Watch<'_>,
) -> Result<Calibrated, Error> {
    let graph = model.graph();
    let calibrate = |source| Error::CalibrateInput { source };
    let measured = Calibration::from_samples(graph, samples).map_err(calibrate)?;
    let measured = options.on_grid(graph, measured, samples).map_err(calibrate)?;
    let clipped = measured.clipped(graph, samples, &Clipping::ALL).map_err(calibrate)?;
    let floats =
        FloatOutputs::new(graph, &measured, samples).map_err(|source| Error::Run { source })?;
    let calibrations = Clipping::ALL.into_iter().zip(clipped).collect();
    let mut search =
        Search { model, options, goal, watch, floats, calibrations, tried: Vec::new(), runs: 0 };
    let uniform = search.uniform()?;
    let chosen = search.mixed(uniform)?;
    let calibration = search.calibrations[&chosen.choice.clipping].clone();
    let settings = settings_of(model, options, &chosen.choice, calibration);
    let quantized = model.quantize_with(settings, Origin::Inputs(samples.len()))?;
    let layers = model.layers_on(&quantized, samples)?;
    Ok(Calibrated { quantized, chosen, curve: search.tried, layers })
}

struct Search<'a> {
    model: &'a Model,
    options: &'a Options,
    goal: &'a Goal,
    watch: Watch<'a>,
    floats: FloatOutputs<'a>,
    calibrations: BTreeMap<Clipping, Calibration>,
    tried: Vec<Trial>,
    runs: usize,
}

impl Search<'_> {
    /// The cheapest trial with the same bits everywhere.
    fn uniform(&mut self) -> Result<Trial, Error> {
        let mut best: Option<Trial> = None;
        for clipping in Clipping::ALL {
            // More bits than the best has would cost more.
            let most = best.as_ref().map_or(MOST, |best| best.choice.bits);
            for bits in FEWEST..=most {
                let choice = Choice { bits, layers: BTreeMap::new(), clipping };
                let Some(trial) = self.priced(choice)? else { continue };
                self.tried.push(trial.clone());
                if self.goal.is_met_by(&trial.agreement) {
                    if best.as_ref().is_none_or(|best| is_better(&trial, best)) {
                        best = Some(trial);
                    }
                    break;
                }
            }
        }
        best.ok_or_else(|| self.unmet())
    }

    /// The trial with single layers lowered as far as the goal allows, where it is cheaper.
    fn mixed(&mut self, uniform: Trial) -> Result<Trial, Error> {
        let mut choice = uniform.choice.clone();
        for layer in self.model.adjustable_layers().into_iter().take(MOST_LAYERS) {
            // The fewest bits that meet the goal lie above `fails` and up to `meets`.
            let (mut fails, mut meets) = (FEWEST - 1, choice.bits);
            while meets - fails > 1 {
                let bits = u32::midpoint(fails, meets);
                let mut lowered = choice.clone();
                lowered.layers.insert(layer.clone(), bits);
                match self.run(&lowered)? {
                    Some((_, agreement)) if self.goal.is_met_by(&agreement) => meets = bits,
                    _ => fails = bits,
                }
            }
            if meets < choice.bits {
                choice.layers.insert(layer, meets);
            }
        }
        if choice.layers.is_empty() {
            return Ok(uniform);
        }
        let Some(mixed) = self.priced(choice)? else { return Ok(uniform) };
        self.tried.push(mixed.clone());
        let is_cheaper = mixed.price.score < uniform.price.score;
        Ok(if is_cheaper && self.goal.is_met_by(&mixed.agreement) { mixed } else { uniform })
    }

    /// The model so quantized, and how close it is; `None` where there are no such integers.
    fn run(&mut self, choice: &Choice) -> Result<Option<(Quantized, Agreement)>, Error> {
        self.runs += 1;
        (self.watch)(Step::Calibrating { trial: self.runs });
        let calibration = self.calibrations[&choice.clipping].clone();
        let settings = settings_of(self.model, self.options, choice, calibration);
        let Ok(quantized) = self.model.quantize_with(settings, Origin::Input) else {
            return Ok(None);
        };
        let agreement = self.floats.agreement(&quantized.graph);
        Ok(Some((quantized, agreement.map_err(|source| Error::Run { source })?)))
    }

    /// The same with its price; `None` where there is no circuit either.
    fn priced(&mut self, choice: Choice) -> Result<Option<Trial>, Error> {
        let Some((quantized, agreement)) = self.run(&choice)? else { return Ok(None) };
        let Ok(plan) = plan(self.model, &quantized) else { return Ok(None) };
        let objective: Objective = self.options.optimize.unwrap_or_default().into();
        let price = Price::new(&plan.cost(), objective);
        Ok(Some(Trial { choice, agreement, price }))
    }

    /// That nothing meets the goal, with what comes closest.
    fn unmet(&self) -> Error {
        let distance = |trial: &&Trial| self.goal.distance(&trial.agreement);
        let closest = self.tried.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        Error::GoalNotMet { closest: closest.cloned().map(Box::new) }
    }
}

/// What is cheaper, and of equals what is closer to the float model.
fn is_better(trial: &Trial, best: &Trial) -> bool {
    let error = |trial: &Trial| trial.agreement.mean_error;
    match trial.price.score.cmp(&best.price.score) {
        Ordering::Equal => error(trial) < error(best),
        order => order.is_lt(),
    }
}
