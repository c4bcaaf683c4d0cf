, Sqlite).unwrap()[0].identifier(), None);
        assert_tokens(Postgres, 