'use strict';

/** The client cannot do a work; the message says why, in one sentence. */
class CannotDo extends Error {}

module.exports = { CannotDo };
