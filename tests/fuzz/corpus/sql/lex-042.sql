),
            ],
        );
        assert_tokens(Postgres, 