// The plugin's words, in LibreChat's language where we have it. English is built in, so a missing file costs only translation.

export const LANGUAGES = ['en', 'de', 'fr', 'es', 'it', 'pl', 'nl', 'pt'];

export const ENGLISH = {
  auto: 'Auto',
  manual: 'Manual',
  off: 'Auto off',
  loading: 'Auto …',
  menu: 'Automatic model choice',
  chip: 'Automatic model choice: {label}',
  chipManual: 'You chose the model yourself. Turn automatic choice on again',
  onlyThis: 'For this message',
  turnOff: 'Off',
  sure: 'sure',
  fair: 'fairly sure',
  unsure: 'not sure',
  why: 'Why this route?',
  whyTitle: 'Why {route}',
  whyNone: 'Nothing has been decided yet: write a message.',
  whyFallback: 'Nothing was near enough, so {route} takes it.',
  nearest: 'Nearest examples',
  always: 'Always route messages like this to …',
  learned: 'Learned: {route}',
  forget: 'Forget what was learned ({count})',
  forgotten: 'Forgotten',
  back: 'Back',
  stays: 'This conversation stays with {route}',
  staysFiles: 'With files attached, a new chat stays with {route}',
  staysEndpoint: 'Stays with {route}: another one would start a new chat',
  choose: 'Choose {route} in the model menu',
  goes: 'Goes to {route}',
  sent: 'Sent to {route}',
  notRouted: 'Sent without switching the model',
  notSent: 'Not sent: the conversation changed. Your text is kept',
  export: 'Export the log',
};

export const fill = (text, values = {}) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** 'pt-BR' -> 'pt'; a language that we lack -> 'en'. */
export function pickLanguage(tag) {
  const base = String(tag || '').toLowerCase().split(/[-_]/)[0];
  return LANGUAGES.includes(base) ? base : 'en';
}

export class Texts {
  constructor(folder, setting = 'auto') {
    this.folder = folder;
    this.setting = setting;
    this.language = 'en';
    this.words = ENGLISH;
    this.loaded = { en: ENGLISH };
  }
  /** Follows <html lang>. Calls back when the words have changed. */
  async follow(changed) {
    const language = pickLanguage(this.setting === 'auto' ? document.documentElement.lang : this.setting);
    if (language === this.language) return;
    this.language = language;
    try {
      this.loaded[language] ||= { ...ENGLISH, ...(await (await fetch(new URL(`${language}.json`, this.folder))).json()) };
    } catch {
      this.loaded[language] = ENGLISH;
    }
    if (this.language !== language) return; // changed again meanwhile
    this.words = this.loaded[language];
    changed();
  }
  say(name, values) {
    return fill(this.words[name] ?? ENGLISH[name] ?? name, values);
  }
}
