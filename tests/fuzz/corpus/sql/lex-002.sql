);
        let expected = vec![