);
    }

    #[track_caller]
    fn assert_whole(flavor: Flavor, statement: &str) {
        let script = format!(