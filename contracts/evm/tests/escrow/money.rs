//! Ether and tokens: what returns nothing, takes a fee, refuses, or calls back.

use revm::primitives::{Address, U256};
use zkinfer_contracts_evm::{
    abi::{call, call_with_bytes, words},
    escrow::{ETHER, Escrow, Job, Terms},
};

use crate::setting::*;

fn token(setting: &mut Setting, silent: bool, fee: u128) -> Address {
    let (token, _) = setting.chain.deploy("test/Token", &words(&[&u128::from(silent), &fee]));
    for account in [BUYER, ALICE, BOB] {
        let mint = call("mint(address,uint256)", &[&account, &1_000u128]);
        setting.chain.send(BUYER, token, 0, mint).unwrap();
    }
    token
}

fn holds(setting: &mut Setting, token: Address, account: Address) -> u128 {
    let answer = setting.chain.call(token, call("balanceOf(address)", &[&account])).unwrap();
    U256::from_be_slice(&answer.output).to()
}

fn of_token(setting: &mut Setting, token: Address, account: Address) -> u128 {
    setting.escrow.balance(&mut setting.chain, token, account)
}

#[test]
fn tokens_that_return_something_or_nothing_pay_alike() {
    for silent in [false, true] {
        let mut setting = Setting::new();
        let token = token(&mut setting, silent, 0);
        let terms = Terms { token, stake: 30, ..terms() };
        setting.escrow.open(&mut setting.chain, BUYER, 0, &terms).unwrap();
        let mut job = Job::new(terms);
        setting.act("stake", ALICE, &job).unwrap();
        job.progress.prover = ALICE;
        let at = setting.escrow.at;
        assert_eq!(holds(&mut setting, token, at), 130);
        setting.submit(&job, ALICE).unwrap();
        assert_eq!(of_token(&mut setting, token, ALICE), 130);
        setting.escrow.withdraw(&mut setting.chain, ALICE, token, BOB, 130).unwrap();
        assert_eq!(holds(&mut setting, token, BOB), 1_130);
        let more = setting.escrow.withdraw(&mut setting.chain, ALICE, token, BOB, 1);
        assert_eq!(more.unwrap_err().name(), "InsufficientFunds");
    }
}

#[test]
fn a_fee_is_never_paid_out_of_what_belongs_to_others() {
    let mut setting = Setting::new();
    let token = token(&mut setting, false, 10);
    let at = setting.escrow.at;
    let terms = Terms { token, ..terms() };
    let short = setting.escrow.open(&mut setting.chain, BUYER, 0, &terms).unwrap_err();
    assert_eq!(short.name(), "InsufficientFunds");
    setting.escrow.deposit(&mut setting.chain, BUYER, 0, token, 200).unwrap();
    assert_eq!(of_token(&mut setting, token, BUYER), 180);
    setting.escrow.open(&mut setting.chain, BUYER, 0, &terms).unwrap();
    setting.submit(&Job::new(terms), ALICE).unwrap();
    assert_eq!(of_token(&mut setting, token, ALICE), 100);
    setting.escrow.withdraw(&mut setting.chain, ALICE, token, ALICE, 100).unwrap();
    // The receiver has paid the fee.
    assert_eq!(holds(&mut setting, token, ALICE), 1_090);
    assert_eq!(holds(&mut setting, token, at), of_token(&mut setting, token, BUYER));
}

#[test]
fn a_token_that_calls_back_gets_nothing() {
    let mut setting = Setting::new();
    let token = token(&mut setting, true, 0);
    let at = setting.escrow.at;
    setting.escrow.deposit(&mut setting.chain, BUYER, 0, token, 500).unwrap();
    let back = [
        call("withdraw(address,address,uint256)", &[&token, &token, &100u128]),
        call("deposit(address,uint256)", &[&token, &100u128]),
        Escrow::act_data("refund", &Job::new(terms())),
    ];
    for data in back {
        let arm = call_with_bytes("arm(address,bytes)", &words(&[&at]), &[&data]);
        setting.chain.send(BUYER, token, 0, arm).unwrap();
        setting.escrow.deposit(&mut setting.chain, ALICE, 0, token, 10).unwrap();
        setting.escrow.withdraw(&mut setting.chain, BUYER, token, BUYER, 50).unwrap();
        let answered = setting.chain.call(token, call("answered()", &[])).unwrap().output;
        assert_eq!(answered[64..68], zkinfer_contracts::selector("Reentered()"));
    }
    let credits = of_token(&mut setting, token, BUYER) + of_token(&mut setting, token, ALICE);
    assert_eq!(holds(&mut setting, token, at), credits);
    assert_eq!(credits, 500 + 30 - 150);
}

#[test]
fn what_is_no_token_is_refused() {
    let mut setting = Setting::new();
    let own = setting.escrow.at;
    // An account without code, precompiled contracts, the escrow itself.
    let others = [2, 4].map(|number| Address::with_last_byte(number));
    for token in [BOB, own].into_iter().chain(others) {
        let refused = setting.escrow.deposit(&mut setting.chain, BUYER, 0, token, 10);
        assert_eq!(refused.unwrap_err().name(), "TokenFailed", "{token}");
    }
    let sent = setting.chain.send(BUYER, own, 10, Vec::new());
    assert!(sent.is_err(), "ether without a purpose");
    let wrong = setting.escrow.deposit(&mut setting.chain, BUYER, 9, ETHER, 10);
    assert_eq!(wrong.unwrap_err().name(), "InsufficientFunds");
    let nothing = setting.escrow.deposit(&mut setting.chain, BUYER, 0, ETHER, 0);
    assert_eq!(nothing.unwrap_err().name(), "ZeroAmount");
    let nowhere = setting.escrow.withdraw(&mut setting.chain, BUYER, ETHER, Address::ZERO, 1);
    assert_eq!(nowhere.unwrap_err().name(), "ZeroRecipient");
}

#[test]
fn a_payee_who_refuses_or_calls_back_harms_nobody() {
    let mut setting = Setting::new();
    let (payee, _) = setting.chain.deploy("test/Payee", &[]);
    let at = setting.escrow.at;
    let job = setting.open(terms());
    let other = setting.open(Terms { salt: [2; 32], ..terms() });
    let refuse = call("refuse(bool)", &[&1u128]);
    setting.chain.send(BUYER, payee, 0, refuse).unwrap();
    setting.submit(&job, payee).unwrap();
    let withdraw = call("withdraw(address,address,uint256)", &[&ETHER, &payee, &100u128]);
    let act = |data: &[u8]| call_with_bytes("act(address,bytes)", &words(&[&at]), &[data]);
    let refused = setting.chain.send(BOB, payee, 0, act(&withdraw)).unwrap_err();
    assert_eq!(refused.name(), "EtherRefused");
    assert_eq!(setting.credit(payee), 100);
    // Others are paid all the same.
    setting.submit(&other, ALICE).unwrap();
    setting.escrow.withdraw(&mut setting.chain, ALICE, ETHER, ALICE, 100).unwrap();
    // It takes the money and tries to take it again.
    setting.chain.send(BUYER, payee, 0, call("refuse(bool)", &[&0u128])).unwrap();
    let arm = call_with_bytes("arm(address,bytes)", &words(&[&at]), &[&withdraw]);
    setting.chain.send(BUYER, payee, 0, arm).unwrap();
    setting.chain.send(BOB, payee, 0, act(&withdraw)).unwrap();
    let answered = setting.chain.call(payee, call("answered()", &[])).unwrap().output;
    assert_eq!(answered[64..68], zkinfer_contracts::selector("Reentered()"));
    assert_eq!((setting.credit(payee), setting.held()), (0, 0));
    assert_eq!(setting.chain.ether(payee), 100);
}
