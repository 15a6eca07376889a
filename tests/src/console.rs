//! What a visitor of a console does first.

use crate::browser::Browser;

/// Every account's password.
pub const PASSWORD: &str = "correct horse battery";

impl Browser {
    /// Signs in, and comes to where it was sent from.
    pub async fn sign_in(&self, console: &str, account: &str) {
        self.go(&format!("{console}/sign-in")).await;
        self.fill("#account", account).await;
        self.fill("#password", PASSWORD).await;
        self.click("button[type=submit]").await;
        self.sees("main h1").await;
        self.reads("header.top", |text| text.contains(account)).await;
    }
}
