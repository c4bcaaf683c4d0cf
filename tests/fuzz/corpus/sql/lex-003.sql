);
        assert_eq!(statements(statement, flavor), Ok(vec![statement]));
    }

    #[test]
    fn every_token_has_its_kind_text_and_offset() {
        let found = tokens(