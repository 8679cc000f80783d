//! Particulars from files, so that no name stands in a shell's history.

use std::path::Path;

use anjuan_node::service::ServiceError;
use anjuan_node::text;
use anjuan_node::text::Text;
use serde_json::{Map, Value, json};

use crate::console::Console;
use crate::file;

/// Bytes in the largest file that can be sealed.
const MAX_FILE: u64 = 256 << 10;
/// Bytes of a JSON file with particulars, which may hold a file in hexadecimal digits.
const MAX_JSON: u64 = 1 << 20;

/// The kinds of particulars, as they are named in JSON.
pub(super) const KINDS: [&str; 3] = ["person", "organisation", "file"];

/// The JSON at `path`, `-` for standard input. An error names the place in it, never what stands there.
pub(super) fn read_json(console: &mut dyn Console, path: &str) -> Result<Value, Text> {
    let bytes = read(console, path, MAX_JSON)?;
    serde_json::from_slice(&bytes).map_err(|error| not_json(path, &error))
}

/// The particulars at `path`: as JSON, else the file itself.
pub(super) fn read_particulars(console: &mut dyn Console, path: &str) -> Result<Value, Text> {
    let bytes = read(console, path, MAX_JSON)?;
    match serde_json::from_slice::<Map<String, Value>>(&bytes) {
        Ok(object) if object.len() == 1 && KINDS.iter().any(|kind| object.contains_key(*kind)) => {
            Ok(Value::Object(object))
        }
        Err(error) if path == "-" => Err(not_json(path, &error)),
        _ if bytes.len() as u64 > MAX_FILE => Err(too_large(path)),
        _ => Ok(as_file(Path::new(path), &bytes)),
    }
}

/// The file at `path` as particulars, whatever is in it.
pub(super) fn read_file(path: &str) -> Result<Value, Text> {
    let bytes = file::read(Path::new(path), MAX_FILE).map_err(said)?;
    Ok(as_file(Path::new(path), &bytes))
}

fn read(console: &mut dyn Console, path: &str, limit: u64) -> Result<Vec<u8>, Text> {
    if path == "-" {
        let bytes = console
            .input(limit + 1)
            .map_err(|error| text!("无法读取标准输入:{error}", "cannot read standard input: {error}"))?;
        if bytes.len() as u64 > limit {
            return Err(text!(
                "标准输入超过 {limit} 字节",
                "standard input is over {limit} bytes"
            ));
        }
        Ok(bytes)
    } else {
        file::read(Path::new(path), limit).map_err(said)
    }
}

fn as_file(path: &Path, bytes: &[u8]) -> Value {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    json!({"file": {
        "name": name.unwrap_or_default(),
        "media-type": media_type(path),
        "bytes": hex::encode(bytes),
    }})
}

fn media_type(path: &Path) -> &'static str {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("pdf") => "application/pdf",
        Some("txt") => "text/plain",
        Some("md") => "text/markdown",
        Some("doc") => "application/msword",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Some("mp3") => "audio/mpeg",
        _ => "application/octet-stream",
    }
}

fn too_large(path: &str) -> Text {
    let most = MAX_FILE >> 10;
    text!("{path} 超过 {most} KiB", "{path} is over {most} KiB")
}

fn not_json(path: &str, error: &serde_json::Error) -> Text {
    let (row, column) = (error.line(), error.column());
    text!(
        "{path} 不是合格的 JSON(第 {row} 行第 {column} 列)",
        "{path} is not JSON (line {row}, column {column})"
    )
}

fn said(error: ServiceError) -> Text {
    error.message
}
