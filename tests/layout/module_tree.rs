//! Which file is which module, and which files the compiler is led to.

use std::collections::BTreeSet;

use super::rust_source::Source;

/// The path of the module that a file is: `step/sync.rs` is `step::sync`, `step/mod.rs` is `step`, `lib.rs` the root.
pub(super) fn module_of(path: &str) -> Vec<String> {
    let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(ToOwned::to_owned).collect();
    let is_folder = module.last().is_some_and(|last| last == "mod");
    let is_root = module.len() == 1 && matches!(module[0].as_str(), "lib" | "main");
    if is_folder || is_root {
        module.pop();
    }
    module
}

/// The files that `mod` declarations lead to, the roots included. (`#[path]` is not understood; nothing here needs it.)
pub(super) fn reachable(roots: &[&str], files: &BTreeSet<String>, read: impl Fn(&str) -> String) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next: Vec<String> =
        roots.iter().filter(|root| files.contains(**root)).map(|root| (*root).to_owned()).collect();
    while let Some(path) = next.pop() {
        for module in Source::read(&read(&path)).declared_modules(&module_of(&path)) {
            let module = module.join("/");
            next.extend(
                [format!("{module}.rs"), format!("{module}/mod.rs")].into_iter().filter(|path| files.contains(path)),
            );
        }
        found.insert(path);
    }
    found
}
