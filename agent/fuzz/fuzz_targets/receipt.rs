//! Receipts by courier: as files of any octets, and as what a collector signed; what is
//! taken in moves the spool no further than the receipt says, and only if it is for this
//! agent and this spool. Keep the files off the disk: `TMPDIR=/dev/shm`.

#![no_main]

use agent::courier::{CourierError, apply};
use agent::target::Target;
use agent::uplink::sameness::Sameness;
use agent_fuzz::{Input, changed};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::courier::sign_receipt;
use proto::tls::{AgentIdentity, Bundle, COLLECTOR_NAME};
use proto::v1::{CourierReceipt, Verdict};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use spool::{Options, Spool};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::SystemTime;

/// Reports that wait when a receipt comes.
const WAITING: u64 = 4;

struct Scene {
    spool: Spool,
    identity: PathBuf,
    /// As it was written.
    pem: String,
    agent: AgentIdentity,
    collector: Bundle,
    issuer: Issuer<'static, KeyPair>,
    /// Of the next certificate.
    key: KeyPair,
    same: Sameness,
    target: Target,
    _folder: tempfile::TempDir,
}

thread_local! {
    static SCENE: RefCell<Scene> = RefCell::new(Scene::checked());
}

fuzz_target!(|data: &[u8]| SCENE.with_borrow(|scene| scene.take(Input::new(data))));

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("signed").pem();
        let issuer = Issuer::new(params, key);
        let agent = AgentIdentity {
            agent: uuid::Uuid::now_v7(),
            site: "berlin".to_owned(),
        };
        let signed = |name| {
            let key = KeyPair::generate().expect("a key");
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![name];
            params.not_after = rcgen::date_time_ymd(2090, 1, 1);
            let certificate = params.signed_by(&key, &issuer).expect("signed").pem();
            format!("{}{certificate}{authority}", key.serialize_pem())
        };
        let uri = agent.uri().try_into().expect("an address");
        let pem = signed(SanType::URI(uri));
        let collector = signed(SanType::DnsName(COLLECTOR_NAME.try_into().expect("a name")));
        let identity = folder.path().join("agent.pem");
        std::fs::write(&identity, &pem).expect("a file");
        let options = Options {
            quota_bytes: 1 << 20,
            move_damaged_aside: false,
            clock: std::time::SystemTime::now,
        };
        let (spool, _) = Spool::open(&folder.path().join("spool"), &options).expect("a spool");
        Self {
            spool,
            identity,
            pem,
            agent,
            collector: Bundle::from_pem(collector),
            issuer,
            key: KeyPair::generate().expect("a key"),
            same: Sameness::default(),
            target: "192.0.2.1".parse().expect("a target"),
            _folder: folder,
        }
    }

    /// One that takes what is good: the first report, and a certificate for the next key.
    fn checked() -> Self {
        let scene = Self::new();
        scene.append();
        let (file, _) = scene.file(&mut Input::new(&[2, 8 | 1, 3, 0, 0, 100]));
        let applied =
            apply(&file, &scene.spool, &scene.identity, None, SystemTime::now()).expect("a good receipt");
        assert!(applied.forgotten > 0 && applied.renewed.is_some(), "{applied:?}");
        std::fs::write(&scene.identity, &scene.pem).expect("a file");
        scene
    }

    fn append(&self) {
        while self.spool.depth().waiting < WAITING {
            let sequence = self.spool.append(Bytes::from_static(b"report")).expect("room");
            self.same.spooled(sequence, self.target, [7; 32]);
        }
    }

    fn take(&self, mut input: Input<'_>) {
        self.append();
        let (first, next) = (self.spool.first_sequence(), self.spool.next_sequence());
        let (file, receipt) = self.file(&mut input);
        let applied = apply(
            &file,
            &self.spool,
            &self.identity,
            Some(&self.same),
            SystemTime::now(),
        );
        let signed = receipt.as_ref();
        match &applied {
            Ok(applied) => {
                let receipt = signed.expect("nothing is believed that was not signed");
                assert_eq!(receipt.agent.as_ref(), self.agent.agent.as_bytes());
                assert!(receipt.sequence == applied.sequence && receipt.sequence < next);
                let gone = self.spool.first_sequence() - first;
                assert!(gone == applied.forgotten && gone <= (receipt.sequence + 1).saturating_sub(first));
            }
            Err(error) => {
                assert_eq!(self.spool.first_sequence(), first, "{error}");
                let old = matches!(error, CourierError::OldCopy { .. });
                assert!(!old || signed.is_some_and(|receipt| receipt.sequence >= next));
            }
        }
        assert_eq!(self.spool.next_sequence(), next);
        if applied.is_ok_and(|applied| applied.renewed.is_some()) {
            std::fs::write(&self.identity, &self.pem).expect("a file");
        } else {
            let pem = std::fs::read_to_string(&self.identity).expect("a file");
            assert!(pem == self.pem, "the identity is as it was");
        }
    }

    /// A receipt as a file; and itself, if the collector signed it as it is.
    fn file(&self, input: &mut Input<'_>) -> (Vec<u8>, Option<CourierReceipt>) {
        let kind = input.byte();
        if kind % 8 == 0 {
            return (input.rest().to_vec(), None);
        }
        let receipt = match kind % 8 {
            1 => CourierReceipt::decode(input.rest()).unwrap_or_default(),
            _ => self.good(input),
        };
        let file = sign_receipt(&receipt, &self.collector).expect("a receipt");
        if kind & 0x80 == 0 {
            return (file, Some(receipt));
        }
        let octets = changed(&file, input.rest());
        let same = octets == file;
        (octets, same.then_some(receipt))
    }

    fn good(&self, input: &mut Input<'_>) -> CourierReceipt {
        let first = self.spool.first_sequence();
        let near = |input: &mut Input<'_>| (first + u64::from(input.byte() % 8)).saturating_sub(2);
        let what = input.byte();
        let sequence = match what & 3 {
            0 => u64::MAX - u64::from(input.byte()),
            _ => near(input),
        };
        let verdicts = (0..input.byte() % 8).map(|_| Verdict {
            sequence: near(input),
            kind: i32::from(input.byte() % 6),
            reason: String::from_utf8_lossy(input.piece()).into_owned(),
        });
        CourierReceipt {
            verdicts: verdicts.collect(),
            agent: self.agent.agent.as_bytes().to_vec().into(),
            epoch: self.spool.epoch().to_vec().into(),
            sequence,
            verdicts_omitted: u64::from(what & 4),
            certificates: match what & 8 {
                0 => Vec::new(),
                _ => self.certificates(input),
            },
            courier_key: Bytes::copy_from_slice(input.piece()),
        }
    }

    /// For the key on its way, if there is one; of whom and how good is for the input to say.
    fn certificates(&self, input: &mut Input<'_>) -> Vec<Bytes> {
        let what = input.byte();
        let on_its_way = self.identity.with_added_extension("next-key");
        if what & 1 == 0 {
            std::fs::write(&on_its_way, self.key.serialize_pem()).expect("a file");
        }
        let mut params = CertificateParams::default();
        let uri = match what & 2 {
            0 => self.agent.uri(),
            _ => String::from_utf8_lossy(input.piece()).into_owned(),
        };
        if let Ok(uri) = uri.try_into() {
            params.subject_alt_names = vec![SanType::URI(uri)];
        }
        params.not_after = rcgen::date_time_ymd(2030 + i32::from(input.byte() % 128), 1, 1);
        let leaf = params.signed_by(&self.key, &self.issuer).expect("signed");
        let authority = pem_authority(&self.pem);
        let all = [leaf.der().to_vec(), authority];
        let change = |octets: Vec<u8>| match what & 4 {
            0 => octets,
            _ => changed(&octets, input.piece()),
        };
        all.map(change).map(Bytes::from).to_vec()
    }
}

/// The second certificate of an identity.
fn pem_authority(identity: &str) -> Vec<u8> {
    let bundle = Bundle::from_pem(identity.to_owned());
    let text = identity
        .rsplit("-----BEGIN CERTIFICATE-----")
        .next()
        .expect("one");
    let alone = format!("-----BEGIN CERTIFICATE-----{text}");
    assert!(bundle.authority().is_ok());
    Bundle::from_pem(format!("{alone}{alone}"))
        .certificate()
        .expect("one")
}
