//! A chain in memory for tests of the contracts: the EVM is revm, at a fork of choice.

pub mod abi;
pub mod escrow;

use std::collections::BTreeMap;

use revm::{
    Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext, MainnetEvm,
    context::{
        TxEnv,
        result::{ExecutionResult, Output},
    },
    database::InMemoryDB,
    handler::MainnetContext,
    primitives::{Address, Bytes, TxKind, U256, hardfork::SpecId},
    state::AccountInfo,
};
use zkinfer_contracts::selector;

/// The forks that figures are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    Osaka,
    Amsterdam,
}

impl Fork {
    pub const ALL: [Self; 2] = [Self::Osaka, Self::Amsterdam];

    pub fn name(self) -> &'static str {
        match self {
            Self::Osaka => "osaka",
            Self::Amsterdam => "amsterdam",
        }
    }
}

/// Why a call came back without having done anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reverted {
    /// A custom error: its name and its arguments as words.
    Named(String, Vec<U256>),
    /// The compiler's own reason.
    Reason(String),
    /// Anything else: the bytes.
    Bytes(Vec<u8>),
    /// An exception of the machine, such as a lack of gas.
    Halt(String),
}

impl Reverted {
    /// The name of a custom error.
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name, _) => name,
            Self::Reason(_) => "Reason",
            Self::Bytes(_) => "Bytes",
            Self::Halt(_) => "Halt",
        }
    }
}

/// What a call gave, and the gas of the transaction.
#[derive(Clone, Debug)]
pub struct Answer {
    pub gas: u64,
    pub output: Vec<u8>,
    /// Topics and data of each event.
    pub logs: Vec<(Vec<[u8; 32]>, Vec<u8>)>,
}

pub type Called = Result<Answer, Reverted>;

pub struct Chain {
    evm: MainnetEvm<MainnetContext<InMemoryDB>>,
    /// Custom errors by selector.
    errors: BTreeMap<[u8; 4], String>,
}

/// More than any transaction takes.
const GAS: u64 = 200_000_000;

impl Chain {
    pub fn new(fork: Fork, chain_id: u64) -> Self {
        let spec = match fork {
            Fork::Osaka => SpecId::OSAKA,
            Fork::Amsterdam => SpecId::AMSTERDAM,
        };
        let context = Context::mainnet().with_db(InMemoryDB::default()).modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(spec);
            cfg.chain_id = chain_id;
            cfg.disable_nonce_check = true;
            // State gas may go beyond the limit of a transaction; which part is which is not said.
            cfg.tx_gas_limit_cap = Some(u64::MAX);
        });
        let mut evm = context.build_mainnet();
        evm.ctx.block.gas_limit = GAS;
        evm.ctx.block.timestamp = U256::from(1);
        let artifacts = ["ZkinferVerifier", "ZkinferEscrow", "ZkinferOpening"].map(artifact);
        let errors = artifacts.iter().flat_map(|artifact| abi::errors(&artifact["abi"]));
        Self { evm, errors: errors.collect() }
    }

    pub fn set_time(&mut self, time: u64) {
        self.evm.ctx.block.timestamp = U256::from(time);
    }

    pub fn time(&self) -> u64 {
        self.evm.ctx.block.timestamp.to()
    }

    /// Another chain with this one's past, as after a fork.
    pub fn set_chain_id(&mut self, chain_id: u64) {
        self.evm.ctx.cfg.chain_id = chain_id;
    }

    pub fn fund(&mut self, account: Address, wei: u128) {
        let info = AccountInfo { balance: U256::from(wei), ..AccountInfo::default() };
        self.evm.ctx.journaled_state.database.insert_account_info(account, info);
    }

    pub fn ether(&mut self, account: Address) -> u128 {
        let database = &mut self.evm.ctx.journaled_state.database;
        database.load_account(account).unwrap().info.balance.to()
    }

    /// Deploys a contract of `artifacts` with constructor arguments.
    pub fn deploy(&mut self, name: &str, arguments: &[u8]) -> (Address, u64) {
        let code = artifact(name)["bytecode"].as_str().unwrap().to_owned();
        let mut code = abi::unhex(&code);
        code.extend(arguments);
        self.create(name, code)
    }

    fn create(&mut self, name: &str, code: Vec<u8>) -> (Address, u64) {
        let result = self.transact(account(0xdd), TxKind::Create, 0, code, GAS);
        let ExecutionResult::Success { gas, output: Output::Create(_, Some(at)), .. } = result
        else {
            panic!("{name} is not deployed: {result:?}");
        };
        (at, gas.tx_gas_used())
    }

    /// Deploys what opens commitments.
    pub fn deploy_opening(&mut self) -> (Address, u64) {
        let code = abi::unhex(&zkinfer_contracts::opening_creation_code());
        self.create("ZkinferOpening", code)
    }

    fn transact(
        &mut self,
        caller: Address,
        kind: TxKind,
        wei: u128,
        data: Vec<u8>,
        gas_limit: u64,
    ) -> ExecutionResult {
        let transaction = TxEnv {
            caller,
            kind,
            value: U256::from(wei),
            data: Bytes::from(data),
            gas_limit,
            chain_id: None,
            ..TxEnv::default()
        };
        self.evm.transact_commit(transaction).unwrap()
    }

    /// Sends a transaction.
    pub fn send(&mut self, from: Address, to: Address, wei: u128, data: Vec<u8>) -> Called {
        let result = self.transact(from, TxKind::Call(to), wei, data, GAS);
        self.answer(result)
    }

    /// Sends a transaction with a limit of gas.
    pub fn send_with(&mut self, from: Address, to: Address, data: Vec<u8>, gas: u64) -> Called {
        let result = self.transact(from, TxKind::Call(to), 0, data, gas);
        self.answer(result)
    }

    /// Asks without a transaction.
    pub fn call(&mut self, to: Address, data: Vec<u8>) -> Called {
        let transaction = TxEnv {
            caller: account(0xcc),
            kind: TxKind::Call(to),
            data: Bytes::from(data),
            gas_limit: GAS,
            chain_id: None,
            ..TxEnv::default()
        };
        let result = self.evm.transact(transaction).unwrap().result;
        self.answer(result)
    }

    fn answer(&self, result: ExecutionResult) -> Called {
        match result {
            ExecutionResult::Success { gas, output, logs, .. } => {
                let log = |log: revm::primitives::Log| {
                    let topics = log.topics().iter().map(|topic| topic.0).collect();
                    (topics, log.data.data.to_vec())
                };
                let logs = logs.into_iter().map(log).collect();
                Ok(Answer { gas: gas.tx_gas_used(), output: output.into_data().to_vec(), logs })
            }
            ExecutionResult::Revert { output, .. } => Err(self.reason(&output)),
            ExecutionResult::Halt { reason, .. } => Err(Reverted::Halt(format!("{reason:?}"))),
        }
    }

    fn reason(&self, output: &[u8]) -> Reverted {
        let Some((head, rest)) = output.split_first_chunk::<4>() else {
            return Reverted::Bytes(output.to_vec());
        };
        if *head == selector("Error(string)") {
            let length: usize = U256::from_be_slice(&rest[32..64]).to();
            return Reverted::Reason(String::from_utf8_lossy(&rest[64..][..length]).into_owned());
        }
        let words =
            rest.as_chunks::<32>().0.iter().map(|word| U256::from_be_bytes(*word)).collect();
        match self.errors.get(head) {
            Some(name) => Reverted::Named(name.clone(), words),
            None => Reverted::Bytes(output.to_vec()),
        }
    }
}

/// An account of tests.
pub fn account(byte: u8) -> Address {
    Address::from([byte; 20])
}

/// What `build.mjs` made of a contract.
pub fn artifact(name: &str) -> serde_json::Value {
    let path = format!("{}/../artifacts/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
