)]);
    }

    #[test]
    fn identifiers_lose_their_quotes_and_escapes() {
        for (flavor, sql, expected) in [
            (Postgres, 