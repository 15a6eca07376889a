//! That the browser is what the other tests take it for.

use tocsin_tests::Browser;

/// A page that tells whether its script runs, and breaks two rules.
const PAGE: &str = "data:text/html,<html><title>t</title><p id=p>no script</p><noscript><p id=n>seen</p></noscript>\
                    <img src=x><script>p.textContent='script'</script>";

#[tokio::test(flavor = "multi_thread")]
async fn a_script_runs_unless_it_is_switched_off() {
    let with = Browser::open().await;
    with.go(PAGE).await;
    assert_eq!(with.text("#p").await, "script");
    assert!(!with.seen("#n").await);

    let without = Browser::without_script().await;
    for _ in 0..2 {
        without.go(PAGE).await;
        assert_eq!(without.text("#p").await, "no script");
        assert!(without.seen("#n").await, "as for a visitor without scripts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_accessible_is_found() {
    let browser = Browser::open().await;
    browser.go(PAGE).await;
    let found = browser.violations().await.join("\n");
    for rule in ["image-alt", "html-has-lang"] {
        assert!(found.contains(rule), "{found}");
    }
}
