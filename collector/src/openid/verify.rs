//! Signatures of tokens, by ring: the few algorithms that are let in.
//!
//! Invariant: no algorithm with a shared secret, and none without a signature, is among them.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

/// What a token may be signed by.
pub const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
];

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(Error::from(ErrorKind::InvalidAlgorithm)),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Has tokens verified by ring; again is no matter.
pub fn install() {
    let _first = RING.install_default();
}

struct Check {
    algorithm: Algorithm,
    key: DecodingKey,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let fits = ALGORITHMS.contains(algorithm) && key.family() == algorithm.family();
    let check = Check {
        algorithm: *algorithm,
        key: key.clone(),
    };
    match fits {
        true => Ok(Box::new(check)),
        false => Err(Error::from(ErrorKind::InvalidAlgorithm)),
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let right = match (self.algorithm, self.key.kind()) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signed)
            }
            (Algorithm::PS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signed)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signed)
            }
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signed)
            }
            _ => return Err(signature::Error::new()),
        };
        right.map_err(|_| signature::Error::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// A key of 2,048 bits that OpenSSL made, with the exponent 65537; its private half is gone.
    const N: &str = "nddngF0-umlfAUkxwzPV5MIBp4bbFd4AJbW6VeIzkmce32mWwHdwFAaLc0quk4yPjT38Gb87m-Ed5NEc9LyPs-\
        dlC5dADy4za5JADnAg713baqPJydmwoHLwyMDl5ICFx2vFFE2oxoD_qvt-oMtygf_BlVJ2OhIp3P-J-\
        dIwdJ7iAZNUxiL_ZSV3wfknK4loDV85TN6HtOeBBbClXbwD6G2umPEPerBhvw8lmuFCPDO-IGCn7zif12cvT3L00sSDC9yhBg9kW\
        pCJOP95bsdXf_Nh7C0xv_AYxZuXn3ggnTW9LpcLR4Xtm9F4WFtb2E9Jz5qWKnYeqGkCqQqzjnluHw";
    /// What OpenSSL signed `head.body` with: PKCS #1 version 1.5.
    const RS256: &str = "k2Ho8uArppF9wFrJAnbLWD989hfHPhokgL8t5A_xP8GQ9Vk2L4PLk3JRE3oLd1mS-E2ROp78WSm4Hciq_9bicYx3lrBTbcX4dN-E\
        LfnjAuZrN2L6f4x-pZcURkzkYHcoI1Lvwn421P_M5-gWHoVAxteTg_uhNzbHZURogThAqBzAbF8Exlq1l-\
        xjNEvSuI7zMMjBcKr2mBHmFSvjrFln_CrdtK3GNrM04DJ6PGDsawJbzjbA9xoSB9qrTfVR0StC5S73Zp4QUY5A5UusXRGix3Uzf2\
        961brqm-X9C1qSQjLCb9X89FO57k2A5NIah_UQRitLP2puaRilxIv0DVh2hg";
    /// And by PSS, with as much salt as the digest is long.
    const PS256: &str = "jvsiubVm6Cub-gIZhSi7zrWl6LnYRKdZpg0lZYyWUdoizvbXmgztiPQBqtLyx9qL7WLP__b3OBxkRj2auzWXRiu520vH0V44tumS\
        ZL1o7DXIosEJ4k_3LCAjumN4KIG_8c814WiTqx5F07zVCDoKu_VofSFw__y-ENrBBggYAkldRlz4KLFcoWbbxB4U39k_RotffrrW\
        2b_uKtvXg7MmuBKevEfIOd5cpQdjo1hXYLnTehOU4kqV8tw7VXGoBNVnZrhpCLt4ucZoaD9d974isMGGwfL2XZdYiRSdKRexPXfa\
        A55WfPVTgItLDK2YOkYIAj5F0F2obl1ShWbNbE4XAw";

    #[test]
    fn each_way_of_rsa_is_taken_for_what_it_is_and_no_other() {
        let key = |exponent| DecodingKey::from_rsa_components(N, exponent).unwrap();
        let right = |algorithm, exponent, message: &str, signed: &str| {
            let check = verifier(&algorithm, &key(exponent)).unwrap();
            let signed = URL_SAFE_NO_PAD.decode(signed).unwrap();
            check.verify(message.as_bytes(), &signed).is_ok()
        };
        for (algorithm, own, other) in [(Algorithm::RS256, RS256, PS256), (Algorithm::PS256, PS256, RS256)] {
            assert!(right(algorithm, "AQAB", "head.body", own), "{algorithm:?}");
            assert!(!right(algorithm, "AQAB", "head.bodz", own));
            assert!(!right(algorithm, "AQAB", "head.body", other));
            assert!(!right(algorithm, "AQAD", "head.body", own));
            assert!(!right(algorithm, "AQAB", "head.body", ""));
        }
        for algorithm in [
            Algorithm::RS384,
            Algorithm::PS512,
            Algorithm::HS256,
            Algorithm::ES256,
        ] {
            assert!(verifier(&algorithm, &key("AQAB")).is_err(), "{algorithm:?}");
        }
    }
}
