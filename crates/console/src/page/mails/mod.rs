//! The mails that a drill's own mail server took, so that whoever watches the drill can read what a duty contact reads.
//! There is no such page where mails go to a real relay.

mod text;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::HOST},
    response::Response,
    routing::get,
};

use self::text::{Piece, pieces};
use super::{
    frame::{Frame, answer, html},
    names::Names,
};
use crate::{
    app::App,
    hands::{Mail, Told},
    session::{Sees, Visitor},
};

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/mails", get(list)).route("/mails/{number}", get(one))
}

#[derive(Template)]
#[template(path = "mails/list.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
}

struct Row {
    number: u64,
    at: String,
    /// For whom it was, by name.
    owed: String,
    to: String,
    subject: String,
}

#[derive(Template)]
#[template(path = "mails/one.html")]
struct One<'a> {
    frame: Frame,
    row: Row,
    pieces: Vec<Piece<'a>>,
}

#[derive(Template)]
#[template(path = "mails/none.html")]
struct Nothing {
    frame: Frame,
    title: &'static str,
    words: String,
}

async fn list(State(app): State<App>, visitor: Visitor) -> Response {
    let mails = match mails(&app, &visitor).await {
        Ok(mails) => mails,
        Err(why) => return none(&app, &visitor, why),
    };
    let frame = Frame::of(&app, &visitor, "mails");
    let names = Names::in_force(&app.model().read());
    let rows = mails.into_iter().rev().map(|mail| Row::of(&names, &frame, mail)).collect();
    html(&List { frame, rows })
}

async fn one(
    State(app): State<App>,
    visitor: Visitor,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mails = match mails(&app, &visitor).await {
        Ok(mails) => mails,
        Err(why) => return none(&app, &visitor, why),
    };
    let number = number.parse().ok();
    let Some(mut mail) = mails.into_iter().find(|mail| Some(mail.number) == number) else {
        return none(&app, &visitor, Missing::Mail);
    };
    let frame = Frame::of(&app, &visitor, "mails");
    let names = Names::in_force(&app.model().read());
    let text = std::mem::take(&mut mail.text);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let pieces = pieces(&text, host);
    html(&One { row: Row::of(&names, &frame, mail), frame, pieces })
}

/// Why there is nothing to show.
enum Missing {
    /// Mails go to a real relay.
    Box,
    /// None of that number, or none for them.
    Mail,
    Told(String),
}

/// Those that the visitor may see, the oldest first. A mail holds a link with which its receiver acknowledges: an agency
/// sees its own alone.
async fn mails(app: &App, visitor: &Visitor) -> Result<Vec<Mail>, Missing> {
    let mailbox = app.hands().mailbox.clone().ok_or(Missing::Box)?;
    let mut mails = mailbox.mails().await.map_err(|Told(why)| Missing::Told(why))?;
    if let Sees::Recipient(own) = &visitor.sees {
        mails.retain(|mail| mail.recipient.as_ref() == Some(own));
    }
    Ok(mails)
}

fn none(app: &App, visitor: &Visitor, why: Missing) -> Response {
    let (status, title, words) = match why {
        Missing::Box => (
            StatusCode::NOT_FOUND,
            "No mails here",
            "This console's mails go to a mail relay and are not kept here. What became of each is on the incident's page."
                .to_owned(),
        ),
        Missing::Mail => (
            StatusCode::NOT_FOUND,
            "No such mail",
            "There is no mail of that number, or it is not for you.".to_owned(),
        ),
        Missing::Told(why) => (StatusCode::SERVICE_UNAVAILABLE, "The mails cannot be shown", why),
    };
    answer(status, &Nothing { frame: Frame::of(app, visitor, "mails"), title, words })
}

impl Row {
    fn of(names: &Names, frame: &Frame, mail: Mail) -> Self {
        Self {
            number: mail.number,
            at: frame.zone().second(mail.at, frame.now()),
            owed: mail.recipient.map_or_else(|| "not told".to_owned(), |id| names.name(&id)),
            to: mail.to.join(", "),
            subject: mail.subject,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::{FutureExt, future::BoxFuture};

    use super::*;
    use crate::{
        hands::{Hands, Mailbox},
        session::fixture::Site,
    };

    struct Kept;

    impl Mailbox for Kept {
        fn mails(&self) -> BoxFuture<'_, Result<Vec<Mail>, Told>> {
            let mail = |number, recipient: &str| Mail {
                number,
                at: "2026-01-01T06:39:00Z".parse().unwrap(),
                recipient: Some(recipient.parse().unwrap()),
                to: vec![format!("duty@{recipient}.example")],
                subject: format!("To {recipient} <b>"),
                text: format!("<script>alert({number})</script> for {recipient}"),
            };
            std::future::ready(Ok(vec![mail(1, "pol-kent"), mail(2, "dsit")])).boxed()
        }
    }

    fn agency() -> Sees {
        Sees::Recipient("pol-kent".parse().unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_agency_reads_its_own_mails_and_a_regulator_all_of_them() {
        let hands = Hands { mailbox: Some(Arc::new(Kept)), ..Hands::default() };
        let site = Site::with(hands, |_| {}).await;
        let kent = site.visitor(agency()).await;
        let listed = kent.get("/mails").await.text;
        assert!(listed.contains("duty@pol-kent.example") && !listed.contains("dsit"), "{listed}");
        assert_eq!(kent.get("/mails/1").await.status, StatusCode::OK);
        assert_eq!(kent.get("/mails/2").await.status, StatusCode::NOT_FOUND);
        let regulator = site.visitor(Sees::Everything).await;
        let listed = regulator.get("/mails").await.text;
        let (newest, oldest) = (listed.find("duty@dsit").unwrap(), listed.find("duty@pol-kent").unwrap());
        assert!(newest < oldest, "{listed}");
        for number in ["0", "3", "x", "99999999999999999999"] {
            assert_eq!(regulator.get(&format!("/mails/{number}")).await.status, StatusCode::NOT_FOUND);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_mail_says_is_shown_and_never_obeyed() {
        let hands = Hands { mailbox: Some(Arc::new(Kept)), ..Hands::default() };
        let site = Site::with(hands, |_| {}).await;
        let page = site.visitor(agency()).await.get("/mails/1").await.text;
        assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
        assert!(!page.contains("<script>alert") && !page.contains("<b>"), "{page}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn there_is_no_such_page_where_mails_go_to_a_relay() {
        let site = Site::start().await;
        let regulator = site.visitor(Sees::Everything).await;
        assert_eq!(regulator.get("/mails").await.status, StatusCode::NOT_FOUND);
    }
}
