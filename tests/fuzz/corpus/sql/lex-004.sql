, Postgres).unwrap();
        let expected = [
            (Word, 