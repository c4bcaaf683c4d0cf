)]);
        let quoted = significant(