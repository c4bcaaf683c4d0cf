, &minus[..1]);
        assert_tokens(Postgres, 