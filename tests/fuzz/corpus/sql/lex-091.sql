));
        assert!(statements(