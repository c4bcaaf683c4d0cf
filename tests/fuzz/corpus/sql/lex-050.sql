)]);
    }

    #[test]
    fn unfinished_quotes_are_errors_that_say_where() {
        assert_error(Sqlite, 