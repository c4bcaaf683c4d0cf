)]);
        assert_tokens(Postgres, 