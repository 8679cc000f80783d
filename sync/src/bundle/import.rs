//! Reading a bundle, a page at a time.

use std::io::{ErrorKind, Read};

use super::{
    BUNDLE_VERSION, BundleError, END, Header, MAGIC, MAX_BODY, MAX_HEADER, PAGE, Whole, header_digest,
    page_digest,
};
use crate::hash::Digest;
use crate::id::NetworkId;
use crate::path::Scope;
use crate::replica::Record;
use crate::session::page;

/// A bundle being read: an iterator over its pages.
///
/// A page that is damaged comes as [`BundleError::Page`], and the pages after it are still to be had; any
/// other error is the last item. Only a bundle that is read to its end without an error is whole. Records
/// are well formed and within the bundle's scope, nothing more: they are judged like those of a peer.
/// Memory is needed for one page.
#[derive(Debug)]
pub struct Import<R> {
    input: R,
    header: Header,
    scope: Scope,
    digest: Digest,
    whole: Whole,
    pages: u64,
    records: u64,
    /// Pages that are only checked, not handed out.
    skip: u64,
    /// Was a page damaged, so that its records could not be counted?
    damaged: bool,
    over: bool,
}

impl<R: Read> Import<R> {
    /// What the bundle says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Pages read so far: from here on an import that is interrupted can go on.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Hands out nothing of the first `pages`, which were taken in before; they are checked all the same.
    pub fn resume_after(&mut self, pages: u64) {
        self.skip = pages;
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BundleError> {
        let mut bytes = [0; N];
        match self.input.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(BundleError::Truncated { pages: self.pages })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The records of the next page; none at the end.
    fn next_page(&mut self) -> Result<Option<Vec<Record>>, BundleError> {
        match self.take::<1>()? {
            [PAGE] => self.page().map(Some),
            [END] => self.end().map(|()| None),
            _ => Err(BundleError::End("neither a page nor the end")),
        }
    }

    fn page(&mut self) -> Result<Vec<Record>, BundleError> {
        let number = self.pages + 1;
        let length = u32::from_be_bytes(self.take()?);
        let size = u32::from_be_bytes(self.take()?) as usize;
        if size > MAX_BODY {
            return Err(BundleError::Length { number, length: size });
        }
        let body = read_up_to(&mut self.input, size)?;
        if body.len() < size {
            return Err(BundleError::Truncated { pages: self.pages });
        }
        let stated = Digest::from_bytes(self.take()?);
        self.pages = number;
        self.whole.page(&stated);
        let read = self.records_of(number, length, &body, stated);
        self.damaged |= read.is_err();
        let records = read.map_err(|what| BundleError::Page { number, what })?;
        self.records += records.len() as u64;
        Ok(records)
    }

    fn records_of(
        &self,
        number: u64,
        length: u32,
        body: &[u8],
        stated: Digest,
    ) -> Result<Vec<Record>, String> {
        if page_digest(&self.digest, number, length, body) != stated {
            return Err("its bytes are not those that were written".into());
        }
        let records = page::expand(body, length)
            .and_then(|raw| page::decode(&raw, self.header.network))
            .map_err(|error| error.to_string())?;
        let is_in_place =
            |record: &Record| record.is_within(&self.scope) && !matches!(record, Record::Held { .. });
        match records.iter().all(is_in_place) {
            true => Ok(records),
            false => Err("it holds what is outside the bundle's scope".into()),
        }
    }

    fn end(&mut self) -> Result<(), BundleError> {
        let pages = u64::from_be_bytes(self.take()?);
        let records = u64::from_be_bytes(self.take()?);
        let stated = Digest::from_bytes(self.take()?);
        if self.whole.clone().finish(pages, records) != stated {
            return Err(BundleError::End("its digest is another"));
        }
        if pages != self.pages || (records != self.records && !self.damaged) {
            return Err(BundleError::End("it tells of other pages or records"));
        }
        match read_up_to(&mut self.input, 1)?.is_empty() {
            true => Ok(()),
            false => Err(BundleError::End("bytes after it")),
        }
    }
}

impl<R: Read> Iterator for Import<R> {
    type Item = Result<Vec<Record>, BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            let next = self.next_page();
            self.over = !matches!(next, Ok(Some(_)) | Err(BundleError::Page { .. }));
            match next {
                Ok(None) => return None,
                Ok(Some(_)) if self.pages <= self.skip => {}
                Ok(Some(records)) => return Some(Ok(records)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}

/// Begins to read a bundle for a node of `network`.
pub fn read_bundle<R: Read>(mut input: R, network: NetworkId) -> Result<Import<R>, BundleError> {
    let magic = read_up_to(&mut input, MAGIC.len())?;
    if magic != MAGIC {
        return Err(BundleError::NotABundle);
    }
    let mut part = |size| {
        let bytes = read_up_to(&mut input, size)?;
        match bytes.len() == size {
            true => Ok(bytes),
            false => Err(BundleError::Truncated { pages: 0 }),
        }
    };
    let version = part(2)?
        .iter()
        .fold(0, |version, byte| version << 8 | u16::from(*byte));
    if version != BUNDLE_VERSION {
        return Err(BundleError::Version(version));
    }
    let size = part(4)?
        .iter()
        .fold(0, |size, byte| size << 8 | usize::from(*byte));
    if size > MAX_HEADER {
        return Err(BundleError::Header(format!("{size} bytes are too many")));
    }
    let bytes = part(size)?;
    let digest = header_digest(&bytes);
    if part(32)? != digest.as_bytes() {
        return Err(BundleError::Header(
            "its bytes are not those that were written".into(),
        ));
    }
    let header: Header = minicbor::decode(&bytes).map_err(|error| BundleError::Header(error.to_string()))?;
    if minicbor::to_vec(&header).expect("writing to a vector does not fail") != bytes {
        return Err(BundleError::Header("it is not in canonical encoding".into()));
    }
    if header.network != network {
        return Err(BundleError::Network);
    }
    Ok(Import {
        input,
        scope: Scope::of(header.scope.clone()),
        header,
        digest,
        whole: Whole::new(&digest),
        pages: 0,
        records: 0,
        skip: 0,
        damaged: false,
        over: false,
    })
}

/// The next `size` bytes, or as many as there are.
fn read_up_to(input: &mut impl Read, size: usize) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    input.by_ref().take(size as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
