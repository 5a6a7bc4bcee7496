//! Themes: the built-in ones, and files that a person wrote.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ngf_ui::{Background, ColorSupport, Contrast, GlyphSet, Role, Theme, terminal};
use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use toml::Spanned;

use super::{Config, ConfigError, at, path, read_file, syntax};

/// How the terminal interface looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appearance {
    /// Which ground the colours are for; asked of the terminal where nobody says it.
    ground: Option<(Background, Contrast)>,
    /// No colours.
    plain: bool,
    /// Signs in ASCII.
    ascii: bool,
    /// Styles of roles instead of the built-in ones.
    roles: BTreeMap<Role, Style>,
}

impl Appearance {
    /// The theme on the terminal that standard output is.
    pub fn theme(&self) -> Theme {
        let glyphs = if self.ascii {
            GlyphSet::Ascii
        } else {
            terminal::glyph_set()
        };
        let theme = match (self.plain, self.ground) {
            (true, _) => Theme::new(ColorSupport::None, Background::Dark, glyphs),
            (false, Some((background, contrast))) => {
                Theme::new(terminal::color_support(), background, glyphs).contrast(contrast)
            }
            (false, None) => {
                let asked = terminal::theme();
                let mut colors = asked.colors;
                if !self.roles.is_empty() {
                    // Who chose colours knows the ground.
                    colors = terminal::color_support();
                }
                Theme::new(colors, asked.background, glyphs).contrast(asked.contrast)
            }
        };
        if self.roles.is_empty() {
            theme
        } else {
            theme.roles(self.roles.clone())
        }
    }
}

/// A file of a theme.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct File {
    /// The theme whose styles hold for what is not named here: dark, light or high-contrast.
    base: Option<Spanned<String>>,
    /// Styles, by the role of a text.
    roles: BTreeMap<Spanned<String>, Look>,
}

/// How text of a role looks.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[allow(clippy::struct_excessive_bools)] // each is a word in the file
struct Look {
    fg: Option<Spanned<String>>,
    bg: Option<Spanned<String>>,
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
    reversed: bool,
}

/// The names that are no files.
const BUILT_IN: [&str; 5] = ["auto", "dark", "light", "high-contrast", "none"];

/// How the terminal interface looks: as the command line says, or else the configuration.
pub(super) fn appearance(config: &Config, named: Option<&str>) -> Result<Appearance, ConfigError> {
    let (name, line) = match (named, &config.theme) {
        (Some(name), _) => (name, None),
        (None, Some((name, line))) => (name.as_str(), Some(*line)),
        (None, None) => ("auto", None),
    };
    let mut appearance = Appearance {
        ground: None,
        plain: false,
        ascii: config.ascii,
        roles: BTreeMap::new(),
    };
    match built_in(name) {
        Some(BuiltIn::Auto) => {}
        Some(BuiltIn::None) => appearance.plain = true,
        Some(BuiltIn::Ground(background, contrast)) => {
            // Of high contrast the terminal still says whether it is dark or light.
            let asked = background.or_else(|| terminal::ground().map(|ground| ground.background));
            appearance.ground = Some((asked.unwrap_or_default(), contrast));
        }
        None => {
            let folder = folder(config)?;
            let file = folder.join(format!("{name}.toml"));
            let is_name = !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.');
            if !is_name || !file.exists() {
                let why = format!(
                    "unknown theme {name:?}: expected {}, or the name of a file in {}",
                    BUILT_IN.join(", "),
                    folder.display()
                );
                return Err(match (&config.file, line) {
                    (Some(file), Some(line)) => ConfigError::Line {
                        file: file.clone(),
                        line,
                        why,
                    },
                    _ => ConfigError::Theme(why),
                });
            }
            let text = read_file(&file)?;
            let (base, roles) = of_file(&file, &text)?;
            if let Some(BuiltIn::Ground(background, contrast)) = base {
                appearance.ground = Some((background.unwrap_or_default(), contrast));
            }
            appearance.roles = roles;
        }
    }
    Ok(appearance)
}

/// A theme that is no file.
enum BuiltIn {
    Auto,
    None,
    /// For a ground that is known, or asked for.
    Ground(Option<Background>, Contrast),
}

fn built_in(name: &str) -> Option<BuiltIn> {
    Some(match name {
        "auto" => BuiltIn::Auto,
        "none" => BuiltIn::None,
        "dark" => BuiltIn::Ground(Some(Background::Dark), Contrast::Usual),
        "light" => BuiltIn::Ground(Some(Background::Light), Contrast::Usual),
        "high-contrast" => BuiltIn::Ground(None, Contrast::High),
        _ => return None,
    })
}

/// The folder of themes, beside the configuration file.
fn folder(config: &Config) -> Result<PathBuf, ConfigError> {
    let file = match &config.file {
        Some(file) => file.clone(),
        None => path()?,
    };
    Ok(file.parent().unwrap_or(Path::new(".")).join("themes"))
}

type Roles = BTreeMap<Role, Style>;

fn of_file(file: &Path, text: &str) -> Result<(Option<BuiltIn>, Roles), ConfigError> {
    let read: File = toml::from_str(text).map_err(|error| syntax(file, text, &error))?;
    let wrong = |byte: usize, why: String| at(file, text, byte, why);
    let base = match &read.base {
        None => None,
        Some(base) => match built_in(base.as_ref()) {
            Some(found @ BuiltIn::Ground(..)) => Some(found),
            _ => {
                let why = format!(
                    "unknown base {:?}: expected dark, light or high-contrast",
                    base.as_ref()
                );
                return Err(wrong(base.span().start, why));
            }
        },
    };
    let mut roles = Roles::new();
    for (name, look) in &read.roles {
        let role = role(name.as_ref()).ok_or_else(|| {
            let known: Vec<String> = Role::ALL.iter().map(|role| name_of(*role)).collect();
            let why = format!(
                "unknown role {:?}: expected {}",
                name.as_ref(),
                known.join(", ")
            );
            wrong(name.span().start, why)
        })?;
        let color = |color: &Option<Spanned<String>>| {
            match color {
            None => Ok(None),
            Some(color) => color.as_ref().parse::<Color>().map(Some).map_err(|_| {
                let why = format!(
                    "unknown colour {:?}: expected #rrggbb, a number from 0 to 255, or a name such as red or light-blue",
                    color.as_ref()
                );
                wrong(color.span().start, why)
            }),
        }
        };
        let mut style = Style::new();
        style.fg = color(&look.fg)?;
        style.bg = color(&look.bg)?;
        for (is_set, modifier) in [
            (look.bold, Modifier::BOLD),
            (look.dim, Modifier::DIM),
            (look.italic, Modifier::ITALIC),
            (look.underlined, Modifier::UNDERLINED),
            (look.reversed, Modifier::REVERSED),
        ] {
            if is_set {
                style = style.add_modifier(modifier);
            }
        }
        roles.insert(role, style);
    }
    Ok((base, roles))
}

/// `selected-elsewhere`.
fn name_of(role: Role) -> String {
    let mut name = String::new();
    for c in format!("{role:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(c.to_lowercase());
    }
    name
}

fn role(name: &str) -> Option<Role> {
    Role::ALL.into_iter().find(|role| name_of(*role) == name)
}

/// A theme file to begin with: every role in its colours on a dark ground.
pub fn example() -> String {
    let theme = Theme::picture();
    let mut out = String::from(
        "# A theme of ngf-tui: save it as themes/NAME.toml beside config.toml, and write theme = \"NAME\" there.\n\
         # What is not named here looks as in the base: dark, light or high-contrast.\nbase = \"dark\"\n",
    );
    for role in Role::ALL {
        let style = theme.style(role);
        out.extend(["\n[roles.", name_of(role).as_str(), "]\n"]);
        for (name, color) in [("fg", style.fg), ("bg", style.bg)] {
            if let Some(color) = color {
                out.extend([name, " = \"", color.to_string().as_str(), "\"\n"]);
            }
        }
        for (name, modifier) in [
            ("bold", Modifier::BOLD),
            ("underlined", Modifier::UNDERLINED),
            ("reversed", Modifier::REVERSED),
        ] {
            if style.add_modifier.contains(modifier) {
                out.extend([name, " = true\n"]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(file: PathBuf) -> Config {
        Config {
            file: Some(file),
            ..Config::default()
        }
    }

    #[test]
    fn the_example_is_a_theme_that_looks_as_the_dark_one() {
        let (base, roles) = of_file(Path::new("x.toml"), &example()).expect("a theme");
        assert!(matches!(
            base,
            Some(BuiltIn::Ground(Some(Background::Dark), Contrast::Usual))
        ));
        let theme = Theme::picture();
        for role in Role::ALL {
            assert_eq!(roles[&role], theme.style(role), "{role:?}");
        }
    }

    #[test]
    fn a_theme_is_a_file_beside_the_configuration() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        std::fs::create_dir(folder.path().join("themes")).expect("a folder");
        std::fs::write(
            folder.path().join("themes/mine.toml"),
            "[roles.error]\nfg = \"#dc322f\"\nbold = true\n",
        )
        .expect("written");
        let config = config(file);
        let mine = appearance(&config, Some("mine")).expect("a theme");
        assert_eq!(
            mine.roles[&Role::Error],
            Style::new().fg(Color::Rgb(0xdc, 0x32, 0x2f)).bold()
        );
        for name in ["other", "../config", "", ".mine"] {
            let error = appearance(&config, Some(name)).expect_err(name).to_string();
            assert!(error.contains("unknown theme"), "{error}");
        }
        for name in BUILT_IN {
            assert!(appearance(&config, Some(name)).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_theme_has_a_line() {
        for (text, expected) in [
            ("base = \"blue\"\n", "mine.toml:1: unknown base \"blue\""),
            (
                "\n[roles.eror]\n",
                "mine.toml:2: unknown role \"eror\": expected normal, strong",
            ),
            (
                "[roles.error]\nfg = \"redd\"\n",
                "mine.toml:2: unknown colour \"redd\"",
            ),
            (
                "[roles.error]\nbould = true\n",
                "mine.toml:2: unknown field `bould`",
            ),
        ] {
            let error = of_file(Path::new("mine.toml"), text)
                .err()
                .expect(text)
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
