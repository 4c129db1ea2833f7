//! The wallet on a chain whose blocks the test makes: what becomes of each transaction, and what its sender is told.

use std::{path::Path, time::Duration};

use alloy::{
    consensus::Transaction as _,
    eips::BlockId,
    network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _},
    node_bindings::{Anvil, AnvilInstance},
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider, ProviderBuilder, ext::AnvilApi as _},
    rpc::types::{TransactionReceipt, TransactionRequest, anvil::ReorgOptions},
    signers::local::PrivateKeySigner,
};
use eyre::{OptionExt as _, Result, bail};
use oracle::chain::{ChainError, ChainTime};
use prover_node::{
    job::{RoundKey, Seat},
    journal::{Journal, Owner},
    wallet::{Call, IN_FLIGHT, Intent, Purpose, SendError, Step, Wallet},
};
use quorate_tests::programs;
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whom transfers go to.
const SOMEBODY: Address = Address::repeat_byte(0x5b);

/// A chain, a key, and a journal.
struct Purse {
    provider: DynProvider,
    signer: PrivateKeySigner,
    heads: watch::Sender<ChainTime>,
    folder: TempDir,
    anvil: AnvilInstance,
}

/// Somebody waits for it.
type Waiting = JoinHandle<Result<TransactionReceipt, SendError>>;

impl Purse {
    async fn open() -> Result<Self> {
        let anvil = Anvil::at(programs::foundry("anvil")?)
            .prague()
            .args(["--no-mining", "--mnemonic-random"])
            .timeout(30_000)
            .try_spawn()?;
        let provider = ProviderBuilder::new().connect_http(anvil.endpoint_url()).erased();
        let signer = PrivateKeySigner::from(anvil.first_key().clone());
        let (heads, _) = watch::channel(head(&provider).await?);
        Ok(Self { provider, signer, heads, folder: TempDir::new()?, anvil })
    }

    /// A new process, as far as the wallet can tell.
    async fn wallet(&self) -> Result<Wallet> {
        self.wallet_in(self.folder.path()).await
    }

    async fn wallet_in(&self, folder: &Path) -> Result<Wallet> {
        let (chain_id, operator) = (self.anvil.chain_id(), self.signer.address());
        let owner = Owner { chain_id, genesis: B256::ZERO, oracle: Address::ZERO, operator };
        let journal = Journal::open(folder, owner).await?;
        let (provider, signer) = (self.provider.clone(), self.signer.clone());
        Ok(Wallet::spawn(provider, chain_id, signer, journal, self.heads.subscribe()).await?)
    }

    /// A transfer for one seat, which is worth it for so many seconds.
    fn transfer(&self, seat: u32, seconds: u64) -> Intent {
        let round = RoundKey { job: B256::repeat_byte(1), number: 1 };
        let purpose = Purpose::seat(Step::Reveal, round, Seat { number: seat, member: 0 });
        let call = Call { to: SOMEBODY, data: Bytes::new(), value: U256::from(1_000 + seat) };
        Intent { purpose, call, deadline: self.heads.borrow().time + seconds }
    }

    async fn mine(&self) -> Result<()> {
        self.provider.evm_mine(None).await?;
        self.heads.send(head(&self.provider).await?)?;
        Ok(())
    }

    /// Mines until somebody has been told what became of it.
    async fn mine_until(&self, waiting: &mut Waiting) -> Result<Result<TransactionReceipt, SendError>> {
        let until = Instant::now() + PATIENCE;
        while !waiting.is_finished() && Instant::now() < until {
            self.mine().await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if !waiting.is_finished() {
            bail!("nothing became of it");
        }
        Ok(waiting.await?)
    }

    /// Waits until so many transactions of ours wait to be mined, and gives their hashes by nonce.
    async fn pending(&self, count: usize) -> Result<Vec<B256>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let pool: serde_json::Value = self.provider.raw_request("txpool_content".into(), ()).await?;
            let mut hashes = Vec::new();
            for part in ["pending", "queued"] {
                let ours = pool[part].as_object().into_iter().flatten();
                let ours = ours.filter(|(sender, _)| sender.parse() == Ok(self.signer.address()));
                for (nonce, transaction) in ours.flat_map(|(_, by_nonce)| by_nonce.as_object().into_iter().flatten()) {
                    let hash = transaction["hash"].as_str().ok_or_eyre("a transaction without a hash")?;
                    hashes.push((nonce.parse::<u64>()?, hash.parse()?));
                }
            }
            hashes.sort_unstable();
            if hashes.len() == count {
                return Ok(hashes.into_iter().map(|(_, hash)| hash).collect());
            }
            if Instant::now() > until {
                bail!("{} transactions wait, and not {count}", hashes.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes the next blocks too dear for what was sent before.
    async fn raise_base_fee(&self) -> Result<()> {
        let price = self.provider.get_gas_price().await?;
        Ok(self.provider.anvil_set_next_block_base_fee_per_gas(price * 1_000).await?)
    }

    /// What arrived.
    async fn received(&self) -> Result<U256> {
        Ok(self.provider.get_balance(SOMEBODY).await?)
    }

    async fn nonce(&self, receipt: &TransactionReceipt) -> Result<u64> {
        let transaction = self.provider.get_transaction_by_hash(receipt.transaction_hash).await?;
        Ok(transaction.ok_or_eyre("a receipt without a transaction")?.nonce())
    }

    async fn used(&self) -> Result<u64> {
        Ok(self.provider.get_transaction_count(self.signer.address()).block_id(BlockId::latest()).await?)
    }
}

async fn head(provider: &DynProvider) -> Result<ChainTime> {
    let block = provider.get_block_by_number(Default::default()).await?.ok_or_eyre("no block")?;
    Ok(ChainTime { block: block.header.number, time: block.header.timestamp })
}

/// Once this has returned, the wallet knows what is wanted.
async fn send(wallet: &Wallet, intent: Intent) -> Waiting {
    let wallet = wallet.clone();
    let mut sending = Box::pin(async move { wallet.send(intent).await });
    tokio::select! {
        biased;
        result = &mut sending => tokio::spawn(async { result }),
        () = std::future::ready(()) => tokio::spawn(sending),
    }
}

/// So many transfers, one after the other.
async fn send_all(purse: &Purse, wallet: &Wallet, count: u32) -> Vec<Waiting> {
    let mut waiting = Vec::new();
    for seat in 0..count {
        waiting.push(send(wallet, purse.transfer(seat, 10_000)).await);
    }
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_anothers_receipt_and_the_most_urgent_goes_first() -> Result<()> {
    let purse = Purse::open().await?;
    let wallet = purse.wallet().await?;
    let most = u32::try_from(IN_FLIGHT)?;
    let waiting = send_all(&purse, &wallet, most).await;
    purse.pending(IN_FLIGHT).await?;
    let mut late = send(&wallet, purse.transfer(most, 9_000)).await;
    let mut urgent = send(&wallet, purse.transfer(most + 1, 5_000)).await;

    let late = purse.mine_until(&mut late).await??;
    let urgent = purse.mine_until(&mut urgent).await??;
    for mut one in waiting {
        assert!(purse.mine_until(&mut one).await??.status());
    }
    assert!(purse.nonce(&urgent).await? < purse.nonce(&late).await?);
    assert_eq!(purse.used().await?, u64::from(most) + 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_not_mined_is_replaced_by_the_same_for_more() -> Result<()> {
    let purse = Purse::open().await?;
    let wallet = purse.wallet().await?;
    let mut waiting = send(&wallet, purse.transfer(1, 10_000)).await;
    let first = purse.pending(1).await?[0];
    purse.raise_base_fee().await?;

    let receipt = purse.mine_until(&mut waiting).await??;
    assert_ne!(receipt.transaction_hash, first);
    assert_eq!((purse.used().await?, purse.received().await?), (1, U256::from(1_001)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_lost_is_sent_again() -> Result<()> {
    let purse = Purse::open().await?;
    let wallet = purse.wallet().await?;
    let mut waiting = send_all(&purse, &wallet, 3).await;
    let sent = purse.pending(3).await?;
    purse.provider.anvil_drop_transaction(sent[0]).await?;

    for one in &mut waiting {
        assert!(sent.contains(&purse.mine_until(one).await??.transaction_hash), "the same one, not another");
    }
    assert_eq!((purse.used().await?, purse.received().await?), (3, U256::from(3_003)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorganisation_threw_out_is_sent_again() -> Result<()> {
    let purse = Purse::open().await?;
    let wallet = purse.wallet().await?;
    purse.mine().await?;
    let mut waiting = send(&wallet, purse.transfer(1, 10_000)).await;
    purse.pending(1).await?;
    purse.mine_until(&mut waiting).await??;
    purse.mine().await?;
    let depth = head(&purse.provider).await?.block - 1;
    purse.provider.anvil_reorg(ReorgOptions { depth, tx_block_pairs: Vec::new() }).await?;
    assert_eq!(purse.used().await?, 0, "it was thrown out");

    purse.mine().await?;
    purse.pending(1).await?;
    // Asked for again meanwhile, it is not sent twice.
    let mut again = send(&wallet, purse.transfer(1, 10_000)).await;
    // Once the next one is on its way, that one has been looked at.
    let mut next = send(&wallet, purse.transfer(2, 10_000)).await;
    purse.pending(2).await?;
    assert!(purse.mine_until(&mut again).await?.is_ok());
    assert!(purse.mine_until(&mut next).await?.is_ok());
    assert_eq!((purse.used().await?, purse.received().await?), (2, U256::from(1_001 + 1_002)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_with_the_same_key_is_survived() -> Result<()> {
    let purse = Purse::open().await?;
    let wallet = purse.wallet().await?;
    let mut waiting = send(&wallet, purse.transfer(1, 10_000)).await;
    purse.pending(1).await?;
    let fees = purse.provider.estimate_eip1559_fees().await?;
    let theirs = TransactionRequest::default()
        .with_from(purse.signer.address())
        .with_to(SOMEBODY)
        .with_value(U256::from(7))
        .with_nonce(0)
        .with_gas_limit(21_000)
        .with_chain_id(purse.anvil.chain_id())
        .with_max_fee_per_gas(fees.max_fee_per_gas * 2)
        .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas * 2);
    let theirs = theirs.build(&EthereumWallet::from(purse.signer.clone())).await?;
    let theirs = *purse.provider.send_tx_envelope(theirs).await?.tx_hash();
    assert_eq!(purse.pending(1).await?, [theirs]);

    let receipt = purse.mine_until(&mut waiting).await??;
    assert_ne!(receipt.transaction_hash, theirs);
    assert_eq!((purse.used().await?, purse.received().await?), (2, U256::from(1_008)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_another_program_waits_with_is_left_to_it() -> Result<()> {
    let purse = Purse::open().await?;
    let elsewhere = TempDir::new()?;
    let (other, wallet) = (purse.wallet_in(elsewhere.path()).await?, purse.wallet().await?);
    let mut theirs = send(&other, purse.transfer(1, 10_000)).await;
    purse.pending(1).await?;
    let mut ours = send(&wallet, purse.transfer(2, 10_000)).await;
    purse.pending(2).await?;

    assert!(purse.mine_until(&mut ours).await?.is_ok());
    assert!(purse.mine_until(&mut theirs).await?.is_ok());
    assert_eq!((purse.used().await?, purse.received().await?), (2, U256::from(2_003)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_same_is_not_sent_twice() -> Result<()> {
    let purse = Purse::open().await?;
    let before = purse.wallet().await?;
    let lost = send(&before, purse.transfer(1, 10_000)).await;
    let sent = purse.pending(1).await?[0];
    lost.abort();
    drop(before);
    purse.provider.anvil_drop_transaction(sent).await?;

    let after = purse.wallet().await?;
    let mut again = send(&after, purse.transfer(1, 20_000)).await;
    let receipt = purse.mine_until(&mut again).await??;
    assert_eq!(receipt.transaction_hash, sent, "it was written down before it was sent");
    assert_eq!((purse.used().await?, purse.received().await?), (1, U256::from(1_001)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_wallet_goes_on_after_what_was_mined_meanwhile() -> Result<()> {
    let purse = Purse::open().await?;
    let before = purse.wallet().await?;
    let lost = send(&before, purse.transfer(1, 10_000)).await;
    purse.pending(1).await?;
    lost.abort();
    drop(before);
    purse.provider.evm_mine(None).await?;

    let after = purse.wallet().await?;
    let mut next = send(&after, purse.transfer(2, 10_000)).await;
    assert!(purse.mine_until(&mut next).await?.is_ok());
    assert_eq!((purse.used().await?, purse.received().await?), (2, U256::from(2_003)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_late_is_given_up_and_gives_its_nonce_to_the_next() -> Result<()> {
    let purse = Purse::open().await?;
    let wallet = purse.wallet().await?;
    let mut late = send(&wallet, purse.transfer(1, 60)).await;
    purse.pending(1).await?;
    purse.provider.anvil_set_next_block_timestamp(purse.heads.borrow().time + 60).await?;
    purse.raise_base_fee().await?;
    let error = purse.mine_until(&mut late).await?.unwrap_err();
    assert!(matches!(error, SendError::NotMined { .. }) && error.may_be_mined(), "{error}");
    purse.mine().await?;
    // The chain has dropped it, since its blocks were too dear for it; nobody waits for its nonce.
    purse.pending(0).await?;

    let mut next = send(&wallet, purse.transfer(2, 10_000)).await;
    assert!(purse.mine_until(&mut next).await?.is_ok());
    assert_eq!((purse.used().await?, purse.received().await?), (1, U256::from(1_002)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_late_and_blocks_others_makes_way() -> Result<()> {
    let purse = Purse::open().await?;
    let wallet = purse.wallet().await?;
    let mut late = send(&wallet, purse.transfer(1, 60)).await;
    purse.pending(1).await?;
    let mut next = send(&wallet, purse.transfer(2, 10_000)).await;
    purse.pending(2).await?;
    purse.provider.anvil_set_next_block_timestamp(purse.heads.borrow().time + 60).await?;
    purse.raise_base_fee().await?;

    assert!(purse.mine_until(&mut late).await?.is_err());
    assert!(purse.mine_until(&mut next).await?.is_ok());
    assert_eq!((purse.used().await?, purse.received().await?), (2, U256::from(1_002)), "nothing was sent in its place");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_paid_for_is_not_sent() -> Result<()> {
    let purse = Purse::open().await?;
    let wallet = purse.wallet().await?;
    purse.provider.anvil_set_balance(purse.signer.address(), U256::from(22_000_000_000_000_u64)).await?;
    let error = send(&wallet, purse.transfer(1, 10_000)).await.await?.unwrap_err();

    assert!(matches!(error, SendError::Chain(ChainError::NoFunds { .. })) && !error.may_be_mined(), "{error}");
    purse.pending(0).await?;
    Ok(())
}
