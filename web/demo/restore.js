// Routes edited at an earlier visit answer from the first keystroke on: their asset is kept beside their text.
import { kept } from './storage.js';

export async function restore(session) {
  try {
    const asset = await kept('asset');
    // Pinned to the files of this site: after an update the routes are compiled again, when Edit opens.
    if (!asset || asset.site !== session.files.table + session.sizes.table) return;
    Object.assign(session.source, { asset: asset.bytes, model: asset.shallow ? undefined : session.files.model });
    session.shallow = asset.shallow;
    session.edited = true;
  } catch {
    // storage is blocked
  }
}
