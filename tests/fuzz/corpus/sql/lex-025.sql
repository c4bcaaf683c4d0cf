, Postgres).unwrap();
        assert_eq!((quoted.len(), quoted[0].kind), (1, QuotedIdentifier));
        assert_eq!(quoted[0].identifier(), None);
        assert_tokens(Sqlite, 