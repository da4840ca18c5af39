//! What goes to a helper and what comes back: a length, then fields with their lengths.
//!
//! Numbers are 4 bytes, the lowest first. Invariant: what [`encode`](LoginQuestion::encode) wrote is read back
//! as it was; anything else is an error.

use std::io::{self, Error, ErrorKind, Read, Write};

use tidegate_wire::SecretBytes;

/// The longest message; logins are short.
const LONGEST: usize = 1 << 20;

/// What a login service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginQuestion {
    /// The service's name.
    pub service: String,
    /// Who wants in.
    pub user: String,
    /// The password.
    pub password: SecretBytes,
    /// The answer to every other question; `None`: there may be none.
    pub code: Option<SecretBytes>,
    /// Where the user is; empty: here.
    pub host: String,
}

/// What it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAnswer {
    /// Whom the service knows the user as; or why it lets nobody in.
    pub verdict: Result<String, String>,
    /// What it wants people to read.
    pub messages: Vec<String>,
    /// What is wrong with the service, for whoever runs this machine.
    pub warnings: Vec<String>,
}

impl LoginQuestion {
    /// As a message.
    #[must_use]
    pub fn encode(&self) -> SecretBytes {
        let code: &[&[u8]] = match &self.code {
            Some(code) => &[code],
            None => &[],
        };
        let fields: [&[u8]; 4] = [
            self.service.as_bytes(),
            self.user.as_bytes(),
            self.host.as_bytes(),
            &self.password,
        ];
        frame(&[&fields[..], code].concat()).into()
    }

    /// Of a message's body.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(body: &[u8]) -> io::Result<Self> {
        let mut fields = fields(body)?.into_iter();
        let mut next = || fields.next().ok_or_else(nonsense);
        let question = Self {
            service: text(next()?)?,
            user: text(next()?)?,
            host: text(next()?)?,
            password: next()?.to_vec().into(),
            code: fields.next().map(|code| code.to_vec().into()),
        };
        match fields.next() {
            None => Ok(question),
            Some(_) => Err(nonsense()),
        }
    }
}

impl LoginAnswer {
    /// As a message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, said) = match &self.verdict {
            Ok(user) => (b"yes", user),
            Err(reason) => (b"no ", reason),
        };
        let mut list: Vec<&[u8]> = vec![kind, said.as_bytes()];
        let marked = |mark: &str, text: &String| format!("{mark}{text}");
        let texts: Vec<String> = self
            .messages
            .iter()
            .map(|text| marked("m", text))
            .chain(self.warnings.iter().map(|text| marked("w", text)))
            .collect();
        list.extend(texts.iter().map(String::as_bytes));
        frame(&list)
    }

    /// Of a message's body.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(body: &[u8]) -> io::Result<Self> {
        let fields = fields(body)?;
        let (Some(kind), Some(said)) = (fields.first(), fields.get(1)) else {
            return Err(nonsense());
        };
        let said = text(said)?;
        let mut answer = Self {
            verdict: match *kind {
                b"yes" => Ok(said),
                b"no " => Err(said),
                _ => return Err(nonsense()),
            },
            messages: Vec::new(),
            warnings: Vec::new(),
        };
        for field in fields.iter().skip(2) {
            let field = text(field)?;
            if let Some(text) = field.strip_prefix('m') {
                answer.messages.push(text.to_owned());
            } else if let Some(text) = field.strip_prefix('w') {
                answer.warnings.push(text.to_owned());
            } else {
                return Err(nonsense());
            }
        }
        Ok(answer)
    }
}

/// A helper's life: answers questions until there are no more.
///
/// # Errors
/// The input is none of questions, or the output is gone.
pub fn serve(
    mut input: impl Read,
    mut output: impl Write,
    mut answer: impl FnMut(&LoginQuestion) -> LoginAnswer,
) -> io::Result<()> {
    loop {
        let mut len = [0; 4];
        match input.read_exact(&mut len) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut body = vec![0; length(len)?];
        input.read_exact(&mut body)?;
        let body = SecretBytes::from(body);
        let said = answer(&LoginQuestion::decode(&body)?);
        output.write_all(&said.encode())?;
        output.flush()?;
    }
}

/// The length of a body.
///
/// # Errors
/// It is too long for a login.
pub(super) fn length(bytes: [u8; 4]) -> io::Result<usize> {
    let len = u32::from_le_bytes(bytes) as usize;
    if len > LONGEST {
        return Err(nonsense());
    }
    Ok(len)
}

fn frame(fields: &[&[u8]]) -> Vec<u8> {
    let len: usize = fields.iter().map(|field| 4 + field.len()).sum();
    let mut out = Vec::with_capacity(4 + len);
    out.extend_from_slice(&(len as u32).to_le_bytes());
    for field in fields {
        out.extend_from_slice(&(field.len() as u32).to_le_bytes());
        out.extend_from_slice(field);
    }
    out
}

fn fields(mut body: &[u8]) -> io::Result<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !body.is_empty() {
        let (len, rest) = body.split_first_chunk().ok_or_else(nonsense)?;
        let len = u32::from_le_bytes(*len) as usize;
        let (field, rest) = rest.split_at_checked(len).ok_or_else(nonsense)?;
        found.push(field);
        body = rest;
    }
    Ok(found)
}

fn text(field: &[u8]) -> io::Result<String> {
    String::from_utf8(field.to_vec()).map_err(|_| nonsense())
}

fn nonsense() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "what a login helper was sent or said makes no sense",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(code: Option<&[u8]>) -> LoginQuestion {
        LoginQuestion {
            service: "mysql".to_owned(),
            user: "anna".to_owned(),
            password: b"secret".to_vec().into(),
            code: code.map(|code| code.to_vec().into()),
            host: String::new(),
        }
    }

    #[test]
    fn questions_and_answers_are_read_as_they_were_written() {
        for question in [question(None), question(Some(b"")), question(Some(b"123"))] {
            let message = question.encode();
            assert_eq!(LoginQuestion::decode(&message[4..]).unwrap(), question);
        }
        for verdict in [Ok("anna".to_owned()), Err("no".to_owned())] {
            let answer = LoginAnswer {
                verdict,
                messages: vec!["Welcome".to_owned(), String::new()],
                warnings: vec!["missing".to_owned()],
            };
            assert_eq!(LoginAnswer::decode(&answer.encode()[4..]).unwrap(), answer);
        }
        assert!(LoginQuestion::decode(b"\x09\0\0\0abc").is_err());
        assert!(LoginAnswer::decode(&[]).is_err());
    }

    #[test]
    fn a_helper_answers_until_its_input_ends() {
        let input = [question(None).encode(), question(Some(b"7")).encode()];
        let input: Vec<u8> = input.iter().flat_map(|message| message.to_vec()).collect();
        let mut output = Vec::new();
        let mut asked = Vec::new();
        serve(&*input, &mut output, |question| {
            asked.push(question.clone());
            LoginAnswer {
                verdict: Ok(question.user.clone()),
                messages: Vec::new(),
                warnings: Vec::new(),
            }
        })
        .unwrap();
        assert_eq!(asked, [question(None), question(Some(b"7"))]);
        assert_eq!(output.len(), 2 * (4 + 4 + 3 + 4 + 4));
        assert!(serve(&[0xff; 9][..], Vec::new(), |_| unreachable!()).is_err());
    }
}
