//! `concertina.yaml`.

use concertina::catalog::{Diagnostic, Project};

use super::{expect_sound_errors, project};

pub(crate) fn run(text: &str) {
    let read = project(&[("concertina.yaml", text)]);
    match &read {
        Ok(project) => {
            let releases = project.manifest.releases.clone().unwrap_or_default();
            assert_eq!(project.train(), releases);
        }
        Err(errors) => expect_sound_errors(errors),
    }
    // Whoever wrote it with an editor of another system wrote the same.
    if !text.contains('\r') {
        let other = project(&[("concertina.yaml", &format!("\u{feff}{}", text.replace('\n', "\r\n")))]);
        let words = |read: &Result<Project, Vec<Diagnostic>>| match read {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<String>>(),
        };
        assert!(
            text.starts_with('\u{feff}') || words(&read) == words(&other),
            "{:?} {:?}",
            words(&read),
            words(&other)
        );
    }
}
