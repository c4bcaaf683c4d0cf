)]);
        assert_tokens(MySql, 