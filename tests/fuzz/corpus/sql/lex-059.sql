);
            assert_eq!(statements(