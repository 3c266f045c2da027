//! One's own second factor: turned on, proved, turned off.
//!
//! Invariants: its secret is shown to whoever just gave the password, and its recovery codes once; no cache keeps
//! either; the picture is drawn here, without a script and without a style.

use super::access::{Visit, again};
use super::account::{self, AccountPage, own, page};
use super::fields::Fields;
use super::page::answer;
use super::sign_in::refusal;
use crate::api::Problem;
use crate::door::Refused;
use crate::door::steps::Pending;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use qrcode::QrCode;
use qrcode::render::svg;
use uuid::Uuid;

type Sent = Form<Vec<(String, String)>>;

/// What the part of the page about the second factor shows.
#[derive(Default)]
pub struct Second {
    /// What was wrong.
    pub refused: Option<String>,
    /// What is to be proved.
    pub pending: Option<PendingSecond>,
    /// Recovery codes, shown once.
    pub recovery: Vec<String>,
}

/// A second factor that is to be proved, as the page shows it.
pub struct PendingSecond {
    /// The secret in groups of four.
    pub secret: String,
    /// The link for a telephone.
    pub link: String,
    /// Its picture: an element without a prologue.
    pub picture: String,
    /// What comes back with the code.
    pub sealed: String,
}

impl PendingSecond {
    fn new(pending: Pending) -> Self {
        let letters: Vec<char> = pending.secret.chars().collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        Self {
            secret: groups.join(" "),
            picture: picture(&pending.link),
            link: pending.link,
            sealed: pending.sealed,
        }
    }
}

/// The QR code of a text (ISO/IEC 18004), dark on light whatever the theme: that is what telephones read.
fn picture(text: &str) -> String {
    let Ok(code) = QrCode::new(text) else {
        return String::new();
    };
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(220, 220).build();
    let element = drawn.split_once("?>").map(|(_, element)| element.to_owned());
    element.unwrap_or(drawn)
}

fn asked(visit: &Visit, pairs: Vec<(String, String)>) -> Result<(Fields, (Uuid, Uuid)), Problem> {
    Ok((Fields::read(pairs)?, own(visit)?))
}

async fn show(visit: &Visit, status: StatusCode, words: &str, second: Second) -> Response {
    let page = page(visit, None, None, second);
    let mut response = again(visit, ("/account", "/account"), (status, words), page).await;
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn refused(visit: &Visit, refused: Refused, pending: Option<Pending>) -> Response {
    match refusal(refused) {
        Ok((status, words)) => {
            let second = Second {
                refused: Some(words.clone()),
                pending: pending.map(PendingSecond::new),
                ..Second::default()
            };
            show(visit, status, &words, second).await
        }
        Err(problem) => answer::<AccountPage>(visit, Err(problem)),
    }
}

/// `POST /account/second`
pub async fn begin(visit: Visit, Form(pairs): Sent) -> Response {
    let (fields, own) = match asked(&visit, pairs) {
        Ok(asked) => asked,
        Err(problem) => return answer::<AccountPage>(&visit, Err(problem)),
    };
    match visit
        .door
        .begin_second(own, fields.one("password"), visit.from)
        .await
    {
        Ok(pending) => {
            let second = Second {
                pending: Some(PendingSecond::new(pending)),
                ..Second::default()
            };
            show(&visit, StatusCode::OK, "", second).await
        }
        Err(why) => refused(&visit, why, None).await,
    }
}

/// `POST /account/second/prove`
pub async fn prove(visit: Visit, Form(pairs): Sent) -> Response {
    let (fields, own) = match asked(&visit, pairs) {
        Ok(asked) => asked,
        Err(problem) => return answer::<AccountPage>(&visit, Err(problem)),
    };
    let (sealed, code) = (fields.one("sealed"), fields.one("code"));
    match visit.door.prove_second(own, sealed, code, visit.from).await {
        Ok(recovery) => {
            let second = Second {
                recovery,
                ..Second::default()
            };
            show(&visit, StatusCode::OK, "", second).await
        }
        Err(Refused::Code) => match visit.door.pending_second(own, sealed).await {
            Ok(pending) => refused(&visit, Refused::Code, pending).await,
            Err(error) => answer::<AccountPage>(&visit, Err(Problem::Store(error))),
        },
        Err(why) => refused(&visit, why, None).await,
    }
}

/// `POST /account/second/off`
pub async fn off(visit: Visit, Form(pairs): Sent) -> Response {
    let (fields, (account, _)) = match asked(&visit, pairs) {
        Ok(asked) => asked,
        Err(problem) => return answer::<AccountPage>(&visit, Err(problem)),
    };
    let (password, code) = (fields.one("password"), fields.one("code"));
    match visit.door.end_second(account, password, code, visit.from).await {
        Ok(()) => Redirect::to(account::SECOND_OFF).into_response(),
        Err(why) => refused(&visit, why, None).await,
    }
}

#[cfg(test)]
mod tests {
    use super::picture;

    #[test]
    fn the_picture_is_an_element_without_script_or_style() {
        let drawn = picture("otpauth://totp/Marque:<b>?secret=GEZDGNBVGY3TQOJQ&issuer=Marque");
        assert!(
            drawn.starts_with("<svg ") && drawn.ends_with("</svg>"),
            "{drawn:.80}"
        );
        for absent in ["style", "<script", "<?", "<b>", "href", " on"] {
            assert!(!drawn.contains(absent), "{absent}");
        }
        assert_eq!(picture(&"a".repeat(5_000)), "", "what is too long has none");
    }
}
