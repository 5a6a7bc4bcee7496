//! Prints every widget as text, and with `--svg DIR` writes a picture of each:
//! `cargo run -p ngf-ui --example gallery -- [--svg DIR] [WIDTH [HEIGHT]]`.

#[path = "../tests/samples/mod.rs"]
mod samples;

use std::path::PathBuf;
use std::process::ExitCode;

use ngf_ui::svg::{SvgOptions, svg};
use ngf_ui::{Theme, golden};
use samples::{SAMPLES, as_written};

struct Arguments {
    svg: Option<PathBuf>,
    width: u16,
    height: u16,
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        svg: None,
        width: 100,
        height: 30,
    };
    let mut sizes = Vec::new();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        if argument == "--svg" {
            let folder = given.next().ok_or("--svg needs a folder")?;
            arguments.svg = Some(folder.into());
        } else {
            let size = argument.parse();
            sizes.push(size.map_err(|_| format!("{argument:?} is neither --svg nor a size"))?);
        }
    }
    if let Some(width) = sizes.first() {
        arguments.width = *width;
    }
    if let Some(height) = sizes.get(1) {
        arguments.height = *height;
    }
    Ok(arguments)
}

fn show(arguments: &Arguments) -> Result<(), String> {
    let (width, height) = (arguments.width, arguments.height);
    for sample in SAMPLES {
        println!("── {} at {width}x{height}", sample.name);
        let plain = golden::draw(width, height, |area, buffer| {
            (sample.draw)(&Theme::plain(), as_written, area, buffer);
        });
        println!("{}", golden::screen(&plain).trim_end());
        println!("── {} in words", sample.name);
        for line in (sample.text)(&Theme::plain(), as_written, width) {
            println!("{line}");
        }
        if let Some(folder) = &arguments.svg {
            let picture = golden::draw(width, height, |area, buffer| {
                (sample.draw)(&Theme::picture(), as_written, area, buffer);
            });
            let file = folder.join(format!("{}.svg", sample.name));
            std::fs::create_dir_all(folder)
                .and_then(|()| {
                    std::fs::write(&file, svg(&picture, &SvgOptions::window(sample.name)))
                })
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| show(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gallery: {error}");
            ExitCode::from(2)
        }
    }
}
