//! A throwaway project that grows a release at a time, on one database.

use super::{Concertina, Output, Project, TestDatabase};

/// A project, the database that it is about, and the releases that it has so far.
pub(crate) struct Train {
    project: Project,
    database: String,
    settings: String,
    releases: Vec<String>,
}

impl Train {
    /// Starts with no release at all.
    pub(crate) fn new(db: &TestDatabase) -> Self {
        Self::with_settings(db, "")
    }

    /// Starts with these lines of the manifest besides the train.
    pub(crate) fn with_settings(db: &TestDatabase, settings: &str) -> Self {
        Self {
            project: Project::new(&[]),
            database: db.owner_url().to_owned(),
            settings: settings.to_owned(),
            releases: Vec::new(),
        }
    }

    /// Adds a release of these files, each named by its folder and its own name: `expand/01_a.yaml`.
    pub(crate) fn add(&mut self, files: &[(&str, &str)]) {
        let release = format!("r{}", self.releases.len() + 1);
        for (path, text) in files {
            let (folder, file) = path.split_once('/').expect("a path of a folder and a file");
            self.project.write(&format!("{folder}/{release}/{file}"), text);
        }
        self.releases.push(release);
        let manifest = format!("releases: [{}]\n{}\n", self.releases.join(", "), self.settings);
        self.project.write("concertina.yaml", &manifest);
    }

    /// The command on this project.
    pub(crate) fn concertina(&self) -> Concertina {
        Concertina::in_project(self.project.path()).database(&self.database)
    }

    /// The project's directory.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// Adds a release with these steps of expand, and runs it; it must succeed.
    #[track_caller]
    pub(crate) fn expand(&mut self, steps: &str) -> Output {
        self.run("expand", steps)
    }

    /// Adds a release with these steps of contract, and runs it; it must succeed.
    #[track_caller]
    pub(crate) fn contract(&mut self, steps: &str) -> Output {
        self.run("contract", steps)
    }

    /// Adds a release with these steps in a phase's folder, and runs it, whatever comes of it.
    pub(crate) fn try_steps(&mut self, folder: &str, steps: &str) -> Output {
        self.add(&[(&format!("{folder}/01_steps.yaml"), &format!("steps:\n{steps}\n"))]);
        self.concertina().run(&["upgrade"])
    }

    #[track_caller]
    fn run(&mut self, folder: &str, steps: &str) -> Output {
        let output = self.try_steps(folder, steps);
        output.expect_code(0);
        output
    }
}
