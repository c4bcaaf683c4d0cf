, &minus[..1]);
        assert_tokens(MySql, 