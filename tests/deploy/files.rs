//! The files of `docs/deploy/` are what their readers take: shells, YAML's, systemd.

use std::process::Command;

use serde_yaml::Value;

use super::commands::documents;
use crate::support::Project;

fn is_installed(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|found| found.status.success())
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn the_script_is_sound() {
    let script = Project::bundled().path().join("docs/deploy/deploy.sh");
    succeeds(Command::new("bash").arg("-n").arg(&script));
    if is_installed("shellcheck") {
        succeeds(Command::new("shellcheck").arg(&script));
    }
}

#[test]
fn the_scripts_of_the_workflow_are_sound() {
    let workflow = documents(&Project::bundled().read("docs/deploy/github-actions.yaml"));
    // GitHub reads `on` as a text, whatever YAML 1.1 says.
    assert!(workflow[0]["on"]["workflow_dispatch"]["inputs"]["release"]["required"].as_bool() == Some(true));
    let jobs = workflow[0]["jobs"].as_mapping().expect("jobs");
    for (name, job) in jobs {
        for step in job["steps"].as_sequence().expect("steps") {
            let Some(script) = step["run"].as_str() else { continue };
            succeeds(Command::new("bash").args(["-n", "-c", script]));
            // An input that is pasted into a script is a script.
            assert!(!script.contains("${{"), "{name:?}: {script}");
        }
        if let Some(before) = job["needs"].as_str() {
            assert!(jobs.contains_key(before), "{name:?} needs {before}");
        }
    }
}

#[test]
fn kubernetes_objects_fit_together() {
    let objects = documents(&Project::bundled().read("docs/deploy/kubernetes.yaml"));
    let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["Job", "Deployment", "Job"]);
    let steps: Vec<_> =
        objects.iter().map(|object| object["metadata"]["labels"]["step"].as_str().expect("a step")).collect();
    assert_eq!(steps, ["before", "nodes", "after"]);
    for object in &objects {
        let pod = &object["spec"]["template"];
        if object["kind"] == "Job" {
            // Kubernetes takes a podFailurePolicy with this alone.
            assert_eq!(pod["spec"]["restartPolicy"], "Never");
            for rule in object["spec"]["podFailurePolicy"]["rules"].as_sequence().expect("rules") {
                let codes = rule["onExitCodes"]["values"].as_sequence();
                let codes: Vec<u64> = codes.into_iter().flatten().filter_map(Value::as_u64).collect();
                assert!(codes.is_sorted() && !codes.contains(&0), "{codes:?}");
            }
        } else {
            assert_eq!(object["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]);
        }
    }
}

#[test]
fn the_plays_are_tasks_of_known_modules() {
    let plays = documents(&Project::bundled().read("docs/deploy/ansible.yaml"));
    let plays = plays[0].as_sequence().expect("plays");
    assert_eq!(plays.len(), 3);
    for task in plays.iter().flat_map(|play| play["tasks"].as_sequence().expect("tasks")) {
        let modules = task.as_mapping().expect("a task").keys().filter_map(Value::as_str);
        assert_eq!(modules.filter(|key| key.starts_with("ansible.builtin.")).count(), 1, "{task:?}");
        if let Some(until) = task["until"].as_str() {
            // What it waits for is what it registers.
            assert!(until.starts_with(&format!("{}.rc ", task["register"].as_str().expect("a name"))), "{until}");
        }
    }
    if is_installed("ansible-playbook") {
        let file = Project::bundled().path().join("docs/deploy/ansible.yaml");
        succeeds(Command::new("ansible-playbook").args(["--syntax-check", "-e", "release=ocata"]).arg(file));
    }
}

#[test]
fn systemd_takes_the_units() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory for the units");
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").args(["--man=no", "--recursive-errors=no"]);
    for unit in ["glance-api.service", "concertina-migrate.service", "concertina-migrate.timer"] {
        // It looks whether the programs are there.
        let text = Project::bundled().read(&format!("docs/deploy/{unit}"));
        let text = text
            .replace("/usr/bin/concertina", env!("CARGO_BIN_EXE_concertina"))
            .replace("/usr/bin/glance-api", "/bin/true");
        let file = directory.path().join(unit);
        std::fs::write(&file, text).expect("a unit's file");
        verify.arg(file);
    }
    let output = verify.output().expect("systemd-analyze is installed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // It warns of what it does not know, and succeeds.
    let about_ours = said.lines().any(|line| line.contains("glance-api") || line.contains("concertina-migrate"));
    assert!(!about_ours && output.status.success(), "{said}");
}
