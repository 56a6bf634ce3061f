/* A synthesized piano: harmonics, hammer and damper, without samples. Times are in seconds of the audio context. */
const Piano = (() => {
  const HAMMER = 8; // the hammer strikes at an eighth of the string, where the eighth harmonic has a node
  const TOP = 9000; // Hz; harmonics above it are left out, since they would alias
  const spectra = new WeakMap();

  const frequency = key => 440 * 2 ** ((key - 69) / 12);

  /* The spectrum of an octave: many harmonics in the bass, few in the treble. */
  function spectrum(context, octave) {
    if (!spectra.has(context)) spectra.set(context, new Map());
    const cache = spectra.get(context);
    if (!cache.has(octave)) {
      const count = Math.max(3, Math.min(16, Math.floor(TOP / frequency(octave * 12 + 12))));
      const cosine = new Float32Array(count + 1), sine = new Float32Array(count + 1);
      for (let k = 1; k <= count; k++) sine[k] = k ** -1.35 * (k % HAMMER ? 1 : 0.25);
      cache.set(octave, context.createPeriodicWave(cosine, sine));
    }
    return cache.get(octave);
  }

  /* Schedule a note: MIDI key and velocity, start time, and length in seconds. */
  function note(context, output, key, velocity, time, length) {
    const pitch = frequency(key), loud = (velocity / 127) ** 1.6 * 0.22;
    const string = context.createOscillator(), felt = context.createBiquadFilter(), level = context.createGain();
    string.setPeriodicWave(spectrum(context, Math.floor(key / 12)));
    string.frequency.value = pitch;
    felt.type = "lowpass";
    felt.frequency.setValueAtTime(Math.min(14000, pitch * (4 + 8 * velocity / 127)), time);
    felt.frequency.exponentialRampToValueAtTime(Math.min(14000, pitch * 2.2), time + 0.7);
    level.gain.setValueAtTime(0, time);
    level.gain.linearRampToValueAtTime(loud, time + 0.004);
    level.gain.setTargetAtTime(loud * 0.55, time + 0.004, 0.09);
    level.gain.setTargetAtTime(0.0001, time + 0.16, 2.6 * 2 ** (-(key - 48) / 24)); // high notes decay faster
    level.gain.setTargetAtTime(0, time + length, 0.07);
    string.connect(felt).connect(level).connect(output);
    string.start(time);
    string.stop(time + length + 0.5);
  }

  /* The node that all notes connect to; its limiter keeps chords from clipping. */
  function board(context, destination) {
    const limiter = context.createDynamicsCompressor(), level = context.createGain();
    limiter.threshold.value = -14;
    limiter.ratio.value = 3;
    level.gain.value = 0.9;
    level.connect(limiter).connect(destination);
    return level;
  }

  return { note, board };
})();
