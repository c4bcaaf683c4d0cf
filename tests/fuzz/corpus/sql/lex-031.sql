)]);
    }

    #[test]
    fn dollar_quotes_end_at_their_own_tag() {
        for sql in [