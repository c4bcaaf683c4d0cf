, 27),
        ];
        let found: Vec<_> = found.iter().map(|t| (t.kind, t.text, t.start)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn backslash_escapes_only_where_the_database_says_so() {
        for (flavor, sql) in [
            (MySql, r