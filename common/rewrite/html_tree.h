/* What of the tree the tokenizer must know (see html_tokens.h). Called with each tag when it is whole. */
#ifndef REWRITE_HTML_TREE_H
#define REWRITE_HTML_TREE_H

#include "rewrite/html_tokens.h"

/* Are we in an element of SVG or MathML, where CDATA is and raw text is not? */
bool html_tree_is_foreign(const struct html_tokens *tokens);

/* The tag's name is in tokens->name. True: it is one of SVG or MathML. Sets the model of what follows. */
bool html_tree_start(struct html_tokens *tokens);
bool html_tree_end(struct html_tokens *tokens);

#endif
