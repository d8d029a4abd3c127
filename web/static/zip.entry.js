// Zip files, by fflate; `web/bundle.py` bundles this file with it into vendor/zip.js, which defines
//     zipFiles({"work/01.py": text}) → bytes      unzipFiles(bytes) → {name: text}
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";

const mapped = (object, change) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));

globalThis.zipFiles = (files) => zipSync(mapped(files, (text) => strToU8(text)));
globalThis.unzipFiles = (bytes) => mapped(unzipSync(bytes), (content) => strFromU8(content));
