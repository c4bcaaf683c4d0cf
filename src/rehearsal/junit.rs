//! The report as `JUnit` XML: a test suite a rehearsal, a test case for each piece of evidence.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::report::{Report, Verdict};

/// Makes `JUnit` XML of rehearsals, and of those that could not be held, each by its name and why. What is more than was asked for
/// cannot fail.
pub fn junit(reports: &[&Report], not_held: &[(String, String)]) -> Result<String, quick_junit::SerializeError> {
    let mut document = Document::new("concertina rehearse");
    for report in reports {
        let mut suite = TestSuite::new(format!("{} to {} on {}", report.from, report.to, report.database));
        suite.set_time(Duration::from_millis(report.duration_ms));
        for (key, value) in [
            ("seed", report.seed.to_string()),
            ("verdict", report.verdict.to_string()),
            ("server", report.server.clone()),
        ] {
            suite.add_property((key, value.as_str()));
        }
        for assertion in &report.assertions {
            let asked_for = report.required.reaches(assertion.name);
            for evidence in &assertion.evidence {
                let status = match (evidence.holds, asked_for) {
                    (true, _) => TestCaseStatus::success(),
                    (false, true) => {
                        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                        status.set_message(evidence.found.clone()).set_type(assertion.name.word());
                        status
                    }
                    (false, false) => {
                        let mut status = TestCaseStatus::skipped();
                        status.set_message(format!("not asked for: {}", evidence.found));
                        status
                    }
                };
                let mut case = TestCase::new(evidence.what.clone(), status);
                case.set_classname(format!("{}.{}", suite.name.as_str(), assertion.name));
                if evidence.holds {
                    case.set_system_out(evidence.found.clone());
                }
                suite.add_test_case(case);
            }
        }
        if report.verdict == Verdict::Failed {
            suite.add_property(("passed", "false"));
        }
        document.add_test_suite(suite);
    }
    for (name, why) in not_held {
        let mut suite = TestSuite::new(name.clone());
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(why.clone());
        suite.add_test_case(TestCase::new("it is rehearsed", status));
        document.add_test_suite(suite);
    }
    document.to_string()
}
