//! Where it is shown: redrawn in place on a terminal, line by line elsewhere.

use console::{Term, truncate_str};

use super::paint::Paint;

/// Standard output, as a terminal or as a stream of lines.
pub(crate) struct Screen {
    /// The terminal and how many lines of it are drawn, when there is one.
    live: Option<(Term, usize)>,
    paint: Paint,
}

impl Screen {
    /// Opens standard output.
    pub(crate) fn open() -> Self {
        let term = Term::buffered_stdout();
        let paint = Paint(console::colors_enabled());
        // A terminal that cannot move its cursor is given lines.
        let live = (term.is_term() && !console::is_dumb()).then_some((term, 0));
        Self { live, paint }
    }

    /// The colours there are.
    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    /// Whether it is redrawn in place.
    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Draws these lines over those drawn before, in one write, so that nothing flickers. Without a terminal: nothing.
    pub(crate) fn draw(&mut self, lines: &[String]) {
        let Some((term, drawn)) = &mut self.live else { return };
        let (rows, columns) = term.size();
        let most = usize::from(rows).saturating_sub(1).max(1);
        let lines = &lines[..lines.len().min(most)];
        let mut text = String::from("\x1b[?25l");
        if *drawn > 0 {
            text.extend(["\x1b[", &drawn.to_string(), "A\r"]);
        }
        for line in lines {
            text += &truncate_str(line, usize::from(columns).saturating_sub(1), "…");
            text += "\x1b[K\n";
        }
        text += "\x1b[J";
        *drawn = lines.len();
        // A terminal that has gone away is no reason to stop the drill.
        let _ = term.write_str(&text).and_then(|()| term.flush());
    }

    /// Leaves what is drawn where it is, and gives the cursor back.
    pub(crate) fn leave(&mut self) {
        if let Some((term, drawn)) = &mut self.live {
            *drawn = 0;
            let _ = term.show_cursor().and_then(|()| term.flush());
        }
    }

    /// Takes what is drawn away, and gives the cursor back.
    pub(crate) fn clear(&mut self) {
        self.draw(&[]);
        self.leave();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}
