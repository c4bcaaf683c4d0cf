)]);
        assert_eq!(significant(