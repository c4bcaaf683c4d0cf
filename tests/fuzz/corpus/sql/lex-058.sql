);
    }

    #[test]
    fn statements_come_without_what_is_around_them() {
        for flavor in FLAVORS {
            let script = 