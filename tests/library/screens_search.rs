//! `/` in what has no rows to filter: the tabs of a page, a step, two probes, the matrix. It searches, as in `less`.

use ngf_tui::tui::{
    headless::Headless,
    state::{Detail, ids::ViewId, place::Place, search::Pane},
};
use ngf_ui::{Background, ColorSupport, GlyphSet, Theme, golden};
use ratatui::style::Modifier;

use crate::{screen::screen_of, support::scenario::Scenario};

/// Types what is searched for.
async fn typed(screen: &mut Headless, text: &str) {
    screen.press(&["/"]).await;
    for letter in text.chars() {
        let key = letter.to_string();
        let key = if letter == ' ' { "space" } else { &key };
        screen.press(&[key]).await;
    }
}

/// The screen, and the cells that are marked as found, row by row.
fn drawn(screen: &mut Headless, (width, height): (u16, u16)) -> (String, Vec<String>) {
    let buffer = screen.draw(width, height);
    let mut found = Vec::new();
    for y in 0..height - 1 {
        let cells = (0..width).map(|x| &buffer[(x, y)]);
        let marked = cells.filter(|cell| cell.modifier.contains(Modifier::UNDERLINED));
        let row: String = marked.map(ratatui::buffer::Cell::symbol).collect();
        if !row.is_empty() {
            found.push(row);
        }
    }
    (golden::screen(&buffer), found)
}

/// `match 2 of 7` in the last line.
fn counted(shown: &str) -> Option<(usize, usize)> {
    let (_, rest) = shown.lines().last()?.split_once("match ")?;
    let (number, count) = rest.trim().split_once(" of ")?;
    Some((number.parse().ok()?, count.trim().parse().ok()?))
}

/// A page on a tab, drawn once.
async fn page_on(tab: &str, size: (u16, u16)) -> Headless {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.press(&["enter", tab]).await;
    screen.draw(size.0, size.1);
    screen
}

/// Every match comes in turn and is on the screen, forwards and backwards, and Esc ends the search where it is.
async fn goes_through(screen: &mut Headless, word: &str, size: (u16, u16), what: &str) {
    let what = format!("{what}, /{word} at {size:?}");
    let place = screen.app.place().clone();
    // The selected row of a part without the keys is underlined, too.
    let (_, before) = drawn(screen, size);
    typed(screen, word).await;
    let (typing, _) = drawn(screen, size);
    let (first, count) = counted(&typing).unwrap_or_else(|| panic!("{what}:\n{typing}"));
    screen.press(&["enter"]).await;
    for step in 0..=count {
        let (shown, found) = drawn(screen, size);
        let expected = (first - 1 + step) % count + 1;
        assert_eq!(counted(&shown), Some((expected, count)), "{what}:\n{shown}");
        let all = found.join(" ").to_lowercase();
        assert!(
            all.contains(&word.to_lowercase()),
            "{what} marks {found:?}:\n{shown}"
        );
        screen.press(&["n"]).await;
    }
    screen.press(&["N", "N"]).await;
    let (shown, _) = drawn(screen, size);
    let expected = (first + count - 2) % count + 1;
    assert_eq!(counted(&shown), Some((expected, count)), "{what}:\n{shown}");
    screen.press(&["esc"]).await;
    let (shown, found) = drawn(screen, size);
    assert!(screen.app.search().is_none(), "{what}");
    assert_eq!(
        (counted(&shown), found.len()),
        (None, before.len()),
        "{what}:\n{shown}"
    );
    assert_eq!(
        *screen.app.place(),
        place,
        "{what}: esc ends the search and stays"
    );
}

const SIZES: [(u16, u16); 4] = [(80, 24), (60, 16), (120, 40), (200, 60)];

#[tokio::test]
async fn every_tab_is_searched_and_each_match_is_shown_in_turn() {
    for size in SIZES {
        for (tab, words) in [
            ("1", &["LocalCA", "signed by", "ca.crt"][..]),
            ("2", &["connection", "never happen", "502"]),
            ("3", &["NGF-", "Secret", "certificate"]),
            ("5", &["ready", "True"]),
            ("6", &["name", "spec"]),
            ("7", &["proxy_ssl", "from the objects"]),
        ] {
            for word in words {
                let mut screen = page_on(tab, size).await;
                goes_through(&mut screen, word, size, tab).await;
            }
        }
        let mut screen = page_on("1", size).await;
        screen.press(&["space"]).await;
        goes_through(&mut screen, "signed", size, "the whole chain").await;
        let mut screen = page_on("2", size).await;
        screen.press(&["z"]).await;
        goes_through(&mut screen, "OpenSSL", size, "the wire").await;
        screen.press(&["z", "enter"]).await;
        assert!(matches!(screen.app.place(), Place::Step(_)));
        goes_through(&mut screen, "message", size, "a step").await;
    }
}

#[tokio::test]
async fn what_nothing_has_says_so_and_moves_nothing() {
    for tab in ["1", "2", "3", "5", "6", "7"] {
        let mut screen = page_on(tab, (80, 24)).await;
        let state = |detail: &Detail| {
            (
                detail.links,
                detail.messages,
                detail.findings.selected,
                detail.yaml.list,
            )
        };
        let before = state(&screen.app.detail);
        typed(&mut screen, "no such words").await;
        let (typing, found) = drawn(&mut screen, (80, 24));
        assert!(
            typing.lines().last().unwrap().contains("nothing matches"),
            "{typing}"
        );
        assert!(found.is_empty(), "{found:?}");
        // Nothing moved: the letters before led somewhere, the words did not.
        assert_eq!(state(&screen.app.detail), before);
        screen.press(&["enter", "n", "N"]).await;
        let (shown, _) = drawn(&mut screen, (80, 24));
        assert!(shown.contains("/no such words  nothing matches"), "{shown}");
        assert_eq!(state(&screen.app.detail), before);
        // Who thinks better of it while typing has no search, and sees what they saw before.
        screen.press(&["esc", "/", "a", "esc"]).await;
        assert!(screen.app.search().is_none());
        assert_eq!(state(&screen.app.detail), before);
        assert!(matches!(screen.app.place(), Place::Page(_)));
    }
}

/// A phrase that the screen breaks is found, and marked in both lines.
#[tokio::test]
async fn a_phrase_is_found_where_its_line_is_wrapped() {
    let mut screen = page_on("3", (60, 16)).await;
    let lines = ngf_tui::tui::views::search::text(&screen.app, Pane::Tab(ViewId::Findings));
    let rows: Vec<Vec<&str>> = lines
        .parts()
        .iter()
        .map(|row| row.split_whitespace().collect())
        .collect();
    let wrapped = rows.windows(2).find_map(|two| {
        let (last, next) = (two[0].last()?, two[1].first()?);
        let is_word = |word: &&str| word.len() > 3 && word.chars().all(char::is_alphabetic);
        (is_word(last) && is_word(next) && two[1][0] == *next).then(|| format!("{last} {next}"))
    });
    let phrase = wrapped.expect("a line that is wrapped at 60 columns");
    typed(&mut screen, &phrase).await;
    screen.press(&["enter"]).await;
    let (shown, found) = drawn(&mut screen, (60, 16));
    assert!(counted(&shown).is_some(), "{phrase}:\n{shown}");
    assert_eq!(
        found.join(" ").to_lowercase(),
        phrase.to_lowercase(),
        "{shown}"
    );
}

#[tokio::test]
async fn a_search_takes_regular_expressions_and_what_is_none_as_text() {
    let mut screen = page_on("6", (80, 24)).await;
    typed(&mut screen, "^kind: P.d$").await;
    let (shown, found) = drawn(&mut screen, (80, 24));
    assert!(
        shown
            .lines()
            .last()
            .unwrap()
            .contains("regular expression, match 1 of 1"),
        "{shown}"
    );
    assert_eq!(found, ["kind: Pod"]);
    screen.press(&["esc"]).await;
    // It is met by nothing at all in every line.
    typed(&mut screen, "q*").await;
    let (shown, _) = drawn(&mut screen, (80, 24));
    assert!(shown.contains("nothing matches"), "{shown}");
    screen.press(&["esc"]).await;
    typed(&mut screen, "kind: [").await;
    let (shown, found) = drawn(&mut screen, (80, 24));
    assert!(shown.contains("invalid regular expression"), "{shown}");
    assert!(!found.is_empty(), "what comes before the fault is found");
}

/// Each tab has a search of its own; without one, `n` is the next problem and Esc goes back.
#[tokio::test]
async fn a_search_belongs_to_its_tab() {
    let size = (80, 24);
    let mut screen = page_on("1", size).await;
    typed(&mut screen, "LocalCA").await;
    screen.press(&["enter", "tab"]).await;
    let (_, found) = drawn(&mut screen, size);
    assert!(
        screen.app.search().is_none() && found.is_empty(),
        "{found:?}"
    );
    screen.press(&["1"]).await;
    let (shown, found) = drawn(&mut screen, size);
    for hint in ["n next", "esc end search"] {
        assert!(
            shown.lines().last().unwrap().contains(hint),
            "{hint}: {shown}"
        );
    }
    assert!(counted(&shown).is_some() && !found.is_empty(), "{shown}");
    screen.press(&["esc", "esc"]).await;
    assert_eq!(*screen.app.place(), Place::Problems);
    // The page that is opened again has no search.
    screen.press(&["enter"]).await;
    assert!(screen.app.search().is_none());
}

/// Also without colours and without Unicode.
#[tokio::test]
async fn matches_are_marked_in_ascii_too() {
    let mut screen = page_on("1", (80, 24)).await;
    screen.app.theme = Theme::new(ColorSupport::None, Background::Dark, GlyphSet::Ascii);
    typed(&mut screen, "LocalCA").await;
    screen.press(&["enter"]).await;
    let (shown, found) = drawn(&mut screen, (80, 24));
    assert!(shown.is_ascii(), "{shown}");
    assert!(found.iter().any(|row| row.contains("LocalCA")), "{found:?}");
}
