), flavor), Ok(script.to_vec()));
            }
        }
        let script = 