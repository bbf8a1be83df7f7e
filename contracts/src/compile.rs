//! From the description of the checks to field programs.
//!
//! What is computed is what [`zkinfer_verifier::checks`] says; the order of everything is taken from
//! its lists.

use std::collections::BTreeMap;

use ark_ff::Field;
use zkinfer_verifier::{
    CurrentRow, Fr, Instruction, OpenedCommitment, VerifyingKey,
    checks::{Challenge, ProofPoint, Step},
};

use crate::{
    error::ContractError,
    program::{Builder, Id, Input},
};

/// The computation of one proof: first denominators and points, then, with the inverses and the
/// evaluations of the instance, the scalars.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) builder: Builder,
    /// What is inverted.
    pub(crate) denominators: Vec<Id>,
    /// The point of each instance query.
    pub(crate) instance_points: Vec<Id>,
    /// `(x^n − 1)/n`.
    pub(crate) scale: Id,
    /// The root of unity's inverse.
    pub(crate) omega_inverse: Fr,
    /// The scalar of each point of the proof, of each point of the key, and of the generator.
    pub(crate) scalars: Vec<Id>,
}

pub(crate) fn compile(key: &VerifyingKey) -> Result<Compiled, ContractError> {
    let mut compiler = Compiler::new(key)?;
    let rows = compiler.rows();
    let openings = compiler.openings()?;
    let instance_points = compiler.instance_points();
    let quotient = compiler.quotient(&rows)?;
    let scalars = compiler.scalars(&openings, quotient)?;
    let Compiler { builder, denominators, scale, omega, .. } = compiler;
    let omega_inverse = omega.inverse().ok_or(ContractError::Key)?;
    Ok(Compiled { builder, denominators, instance_points, scale, omega_inverse, scalars })
}

/// The Lagrange polynomials of special rows at `x`.
struct Rows {
    first: Id,
    last: Id,
    /// `1 − l_last − l_blind`.
    active: Id,
}

/// A group of openings.
struct Group {
    /// Of its first commitment.
    weight: Id,
    /// What weight and Lagrange polynomials at `u` have in common, and what each of the latter has
    /// besides.
    factor: Id,
    basis: Vec<Id>,
}

/// All openings.
struct Openings {
    groups: Vec<Group>,
    /// The product of `u − s` over the points of the first group.
    vanishing: Id,
}

struct Compiler<'a> {
    key: &'a VerifyingKey,
    builder: Builder,
    challenges: BTreeMap<usize, Id>,
    named: Named,
    omega: Fr,
    denominators: Vec<Id>,
    /// `x^n`, `x^n − 1`, and that divided by `n`.
    power: Id,
    vanishing: Id,
    scale: Id,
}

/// The challenges that have names.
struct Named {
    beta: Id,
    gamma: Id,
    y: Id,
    x: Id,
    opening_y: Id,
    opening_v: Id,
    opening_u: Id,
}

impl<'a> Compiler<'a> {
    fn new(key: &'a VerifyingKey) -> Result<Self, ContractError> {
        let mut builder = Builder::default();
        let drawn = key.checks().steps.iter().filter_map(|step| match step {
            Step::Challenge(challenge) => Some(*challenge),
            _ => None,
        });
        let drawn: Vec<Challenge> = drawn.collect();
        let mut of = |wanted: Challenge| {
            let position = drawn.iter().position(|&challenge| challenge == wanted);
            position.map(|index| builder.input(Input::Challenge(index))).ok_or(ContractError::Key)
        };
        let named = Named {
            beta: of(Challenge::Beta)?,
            gamma: of(Challenge::Gamma)?,
            y: of(Challenge::Y)?,
            x: of(Challenge::X)?,
            opening_y: of(Challenge::OpeningY)?,
            opening_v: of(Challenge::OpeningV)?,
            opening_u: of(Challenge::OpeningU)?,
        };
        let count = key.parts().constraint_system.challenge_phases.len();
        let challenges = (0..count)
            .map(|index| Ok((index, of(Challenge::Circuit(index))?)))
            .collect::<Result<_, ContractError>>()?;
        let power = (0..key.parts().k).fold(named.x, |power, _| builder.square(power));
        let minus_one = builder.constant(-Fr::from(1u64));
        let vanishing = builder.add(power, minus_one);
        let rows = Fr::from(1u64 << key.parts().k);
        let inverse = builder.constant(rows.inverse().ok_or(ContractError::Key)?);
        let scale = builder.multiply(vanishing, inverse);
        let omega = key.checks().omega;
        let denominators = Vec::new();
        Ok(Self { key, builder, challenges, named, omega, denominators, power, vanishing, scale })
    }

    /// The inverse of a value, which is not a constant.
    fn inverse(&mut self, value: Id) -> Id {
        let next = self.denominators.len();
        let index = self.denominators.iter().position(|&other| other == value).unwrap_or(next);
        if index == next {
            self.denominators.push(value);
        }
        self.builder.input(Input::Inverse(index))
    }

    /// `value·ω^rotation`.
    fn rotated(&mut self, value: Id, rotation: i64) -> Id {
        let power = self.omega.pow([rotation.unsigned_abs()]);
        let power = if rotation < 0 { power.inverse().unwrap_or_default() } else { power };
        let factor = self.builder.constant(power);
        self.builder.multiply(value, factor)
    }

    /// The Lagrange polynomial of a row, which may be counted from the end, at `x`.
    fn lagrange(&mut self, row: i64) -> Id {
        let turned = self.rotated(self.named.x, -row);
        let minus_one = self.builder.constant(-Fr::from(1u64));
        let denominator = self.builder.add(turned, minus_one);
        let inverse = self.inverse(denominator);
        self.builder.multiply(self.scale, inverse)
    }

    fn rows(&mut self) -> Rows {
        let blinding = i64::try_from(self.key.checks().blinding_rows).unwrap_or(i64::MAX);
        let first = self.lagrange(0);
        let last = self.lagrange(-blinding - 1);
        let mut outside = last;
        for row in -blinding..0 {
            let blind = self.lagrange(row);
            outside = self.builder.add(blind, outside);
        }
        let one = self.builder.one();
        let active = self.builder.subtract(one, outside);
        Rows { first, last, active }
    }

    fn instance_points(&mut self) -> Vec<Id> {
        let queries = &self.key.parts().constraint_system.instance_queries;
        queries.iter().map(|query| self.rotated(self.named.x, query.rotation.into())).collect()
    }

    /// The product of some values.
    fn product(&mut self, factors: impl IntoIterator<Item = Id>) -> Id {
        let one = self.builder.one();
        factors.into_iter().fold(one, |product, factor| self.builder.multiply(product, factor))
    }

    /// With `Z_S` the product of `u − s` over the points `s` of a group, the Lagrange polynomial of one
    /// of them at `u` is `Z_S/(u − s)/Z_S'(s)`, and the group's weight `v^i·Z_0/Z_S`: in their product
    /// `Z_S` is gone. As `s = ω^r·x`, `Z_S'(s)` is a constant times `x^(|S| − 1)`.
    fn openings(&mut self) -> Result<Openings, ContractError> {
        let plan = &self.key.checks().openings;
        let mut differences = Vec::new();
        for &rotation in &plan.rotations {
            let point = self.rotated(self.named.x, rotation.into());
            differences.push(self.builder.subtract(self.named.opening_u, point));
        }
        let inverses: Vec<Id> = differences.iter().map(|&each| self.inverse(each)).collect();
        let first = plan.groups.first().ok_or(ContractError::Key)?;
        let of_first = differences.iter().zip(&first.at).filter(|(_, is)| **is);
        let of_first: Vec<Id> = of_first.map(|(&difference, _)| difference).collect();
        let vanishing = self.product(of_first);
        let inverse_of_x = self.inverse(self.named.x);
        let mut power_of_v = self.builder.one();
        let mut groups = Vec::new();
        for (index, group) in plan.groups.iter().enumerate() {
            let members = plan.rotations.iter().zip(&inverses).zip(&group.at);
            let (rotations, inverses): (Vec<i32>, Vec<Id>) =
                members.filter(|(_, is)| **is).map(|((&rotation, &id), _)| (rotation, id)).unzip();
            let shared = self.builder.multiply(power_of_v, vanishing);
            // The first group's vanishing polynomial is divided by itself.
            let divided = inverses.iter().copied().filter(|_| index > 0);
            let start = if index > 0 { shared } else { power_of_v };
            let weight = self.product([start].into_iter().chain(divided));
            let powers = vec![inverse_of_x; rotations.len().saturating_sub(1)];
            let factor = self.product([shared].into_iter().chain(powers));
            let basis = self.basis(&rotations, &inverses)?;
            groups.push(Group { weight, factor, basis });
            power_of_v = self.builder.multiply(power_of_v, self.named.opening_v);
        }
        Ok(Openings { groups, vanishing })
    }

    /// `1/(u − s)`, each divided by `Π (ω^r − ω^t)` over the other rotations.
    fn basis(&mut self, rotations: &[i32], inverses: &[Id]) -> Result<Vec<Id>, ContractError> {
        let roots: Vec<Fr> = rotations
            .iter()
            .map(|rotation| self.omega.pow([rotation.unsigned_abs().into()]))
            .collect();
        let mut basis = Vec::new();
        for (place, (&root, &inverse)) in roots.iter().zip(inverses).enumerate() {
            let others = roots.iter().enumerate().filter(|&(other, _)| other != place);
            let distance: Fr = others.map(|(_, &other)| root - other).product();
            let constant = distance.inverse().ok_or(ContractError::Key)?;
            let constant = self.builder.constant(constant);
            basis.push(self.builder.multiply(inverse, constant));
        }
        Ok(basis)
    }

    fn evaluation(&mut self, index: usize) -> Id {
        self.builder.input(Input::Evaluation(index))
    }

    /// All constraints combined by powers of `y`, divided by `x^n − 1`.
    fn quotient(&mut self, rows: &Rows) -> Result<Id, ContractError> {
        let gates = self.key.parts().constraint_system.gates.iter();
        let mut constraints = Vec::new();
        for gate in gates {
            constraints.push(self.gate(gate.instructions())?);
        }
        constraints.extend(self.permutation(rows)?);
        let y = self.named.y;
        let mut combined = self.builder.zero();
        for constraint in constraints {
            combined = self.builder.multiply_add(combined, y, constraint);
        }
        let inverse = self.inverse(self.vanishing);
        Ok(self.builder.multiply(combined, inverse))
    }

    fn gate(&mut self, instructions: &[Instruction]) -> Result<Id, ContractError> {
        let at = self.key.checks().evaluations;
        let mut stack: Vec<Id> = Vec::new();
        for instruction in instructions {
            let mut pop = || stack.pop().ok_or(ContractError::Key);
            let value = match *instruction {
                Instruction::Constant(value) => self.builder.constant(value),
                Instruction::Fixed(query) => self.evaluation(at.fixed + usize::from(query)),
                Instruction::Advice(query) => self.evaluation(at.advice + usize::from(query)),
                Instruction::Instance(query) => {
                    self.builder.input(Input::Instance(usize::from(query)))
                }
                Instruction::Challenge(index) => {
                    *self.challenges.get(&usize::from(index)).ok_or(ContractError::Key)?
                }
                Instruction::Negate => {
                    let value = pop()?;
                    self.builder.negate(value)
                }
                Instruction::Add => {
                    let (b, a) = (pop()?, pop()?);
                    self.builder.add(a, b)
                }
                Instruction::Multiply => {
                    let (b, a) = (pop()?, pop()?);
                    self.builder.multiply(a, b)
                }
                Instruction::Scale(factor) => {
                    let (value, factor) = (pop()?, self.builder.constant(factor));
                    self.builder.multiply(value, factor)
                }
            };
            stack.push(value);
        }
        stack.pop().ok_or(ContractError::Key)
    }

    fn permutation(&mut self, rows: &Rows) -> Result<Vec<Id>, ContractError> {
        let system = &self.key.parts().constraint_system;
        let (at, count) = (self.key.checks().evaluations, system.permutation_product_count());
        if count == 0 {
            return Ok(Vec::new());
        }
        let z = |index: usize, part: usize| Input::Evaluation(at.product(index) + part);
        let one = self.builder.one();
        let first = self.builder.input(z(0, 0));
        let starts = self.builder.subtract(one, first);
        let mut constraints = vec![self.builder.multiply(rows.first, starts)];
        let last = self.builder.input(z(count - 1, 0));
        let minus_one = self.builder.constant(-Fr::from(1u64));
        let less = self.builder.add(last, minus_one);
        let ends = self.builder.multiply(last, less);
        constraints.push(self.builder.multiply(rows.last, ends));
        for index in 1..count {
            let (own, before) =
                (self.builder.input(z(index, 0)), self.builder.input(z(index - 1, 2)));
            let takes_over = self.builder.subtract(own, before);
            constraints.push(self.builder.multiply(rows.first, takes_over));
        }
        let mut identity = self.builder.multiply(self.named.beta, self.named.x);
        let delta = self.builder.constant(self.key.checks().delta);
        let columns: Vec<CurrentRow> = self.key.checks().permutation.clone();
        let chunks = columns.chunks(system.permutation_chunk_len());
        let mut position = at.sigmas;
        for (index, chunk) in chunks.enumerate() {
            let mut left = self.builder.input(z(index, 1));
            let mut right = self.builder.input(z(index, 0));
            for &column in chunk {
                let value = self.current(column);
                let sigma = self.evaluation(position);
                position += 1;
                let shifted = self.builder.add(value, self.named.gamma);
                let of_sigma = self.builder.multiply_add(self.named.beta, sigma, shifted);
                let of_identity = self.builder.add(identity, shifted);
                left = self.builder.multiply(left, of_sigma);
                right = self.builder.multiply(right, of_identity);
                identity = self.builder.multiply(identity, delta);
            }
            let difference = self.builder.subtract(left, right);
            constraints.push(self.builder.multiply(rows.active, difference));
        }
        Ok(constraints)
    }

    fn current(&mut self, column: CurrentRow) -> Id {
        let at = self.key.checks().evaluations;
        match column {
            CurrentRow::Advice(query) => self.evaluation(at.advice + query),
            CurrentRow::Fixed(query) => self.evaluation(at.fixed + query),
            CurrentRow::Instance(query) => self.builder.input(Input::Instance(query)),
        }
    }

    /// The scalar of every point of the opening equation.
    fn scalars(&mut self, openings: &Openings, quotient: Id) -> Result<Vec<Id>, ContractError> {
        let places = Places::new(self.key);
        let zero = self.builder.zero();
        let mut scalars = vec![zero; places.count];
        let mut generator = zero;
        let described = &self.key.checks().openings.groups;
        for (group, described) in openings.groups.iter().zip(described) {
            let evaluations = described.members.iter().map(|member| &member.evaluations[..]);
            let interpolated = self.interpolated(group, evaluations.collect(), quotient);
            generator = self.builder.multiply_add(group.factor, interpolated, generator);
            let mut scalar = group.weight;
            for member in &described.members {
                self.assign(&places, member.commitment, scalar, &mut scalars)?;
                scalar = self.builder.multiply(scalar, self.named.opening_y);
            }
        }
        scalars[places.opening] = self.builder.negate(openings.vanishing);
        scalars[places.opening_at_u] = self.named.opening_u;
        scalars.push(self.builder.negate(generator));
        Ok(scalars)
    }

    /// `Σ_j y'^j·r_j(u)`, but for the factor of the group.
    fn interpolated(&mut self, group: &Group, members: Vec<&[usize]>, quotient: Id) -> Id {
        let quotient_index = self.key.checks().evaluations.quotient;
        let mut sum = self.builder.zero();
        for (point, &basis) in group.basis.iter().enumerate() {
            let mut combined = self.builder.zero();
            for evaluations in members.iter().rev() {
                let index = evaluations[point];
                let value = if index == quotient_index { quotient } else { self.evaluation(index) };
                combined = self.builder.multiply_add(combined, self.named.opening_y, value);
            }
            sum = self.builder.multiply_add(basis, combined, sum);
        }
        sum
    }

    fn assign(
        &mut self,
        places: &Places,
        commitment: OpenedCommitment,
        scalar: Id,
        scalars: &mut [Id],
    ) -> Result<(), ContractError> {
        let mut put = |place: Option<usize>, value: Id| {
            let slot = place.and_then(|place| scalars.get_mut(place)).ok_or(ContractError::Key)?;
            *slot = value;
            Ok(())
        };
        match commitment {
            OpenedCommitment::Proof(index) => put(places.proof.get(&index).copied(), scalar),
            OpenedCommitment::Key(index) => put(places.first_of_key.checked_add(index), scalar),
            OpenedCommitment::Quotient => {
                let mut scalar = scalar;
                for &place in &places.quotient {
                    put(Some(place), scalar)?;
                    scalar = self.builder.multiply(scalar, self.power);
                }
                Ok(())
            }
        }
    }
}

/// Where the points of the equation stand: those of the proof in their order, then those of the key.
struct Places {
    /// Commitments of the plan.
    proof: BTreeMap<usize, usize>,
    quotient: Vec<usize>,
    opening: usize,
    opening_at_u: usize,
    first_of_key: usize,
    /// All but the generator.
    count: usize,
}

impl Places {
    fn new(key: &VerifyingKey) -> Self {
        let system = &key.parts().constraint_system;
        let (advice, products) = (system.advice_phases.len(), system.permutation_product_count());
        let points = key.checks().steps.iter().filter_map(|step| match step {
            Step::Point(point) => Some(*point),
            _ => None,
        });
        let mut places = Self {
            proof: BTreeMap::new(),
            quotient: Vec::new(),
            opening: 0,
            opening_at_u: 0,
            first_of_key: 0,
            count: 0,
        };
        for (place, point) in points.enumerate() {
            places.first_of_key = place + 1;
            match point {
                ProofPoint::Advice(column) => drop(places.proof.insert(column, place)),
                ProofPoint::Product(index) => drop(places.proof.insert(advice + index, place)),
                ProofPoint::Random => drop(places.proof.insert(advice + products, place)),
                ProofPoint::Quotient(_) => places.quotient.push(place),
                ProofPoint::Opening => places.opening = place,
                ProofPoint::OpeningAtU => places.opening_at_u = place,
            }
        }
        let of_key = key.parts().fixed_commitments.len() + key.parts().sigma_commitments.len();
        places.count = places.first_of_key + of_key;
        places
    }
}
