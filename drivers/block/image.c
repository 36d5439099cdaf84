/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of an image: opening with everything it stands on, closing, creating, checking. */
/* Finds formats by the names they registered; what they do is theirs. */
#include "drivers/block/image.h"

#include "drivers/block/meta.h"
#include "drivers/block/span.h"
#include "drivers/block/thin.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define SIZE_MAX_GROWN (1ul << 62) /* bytes: formats can round it up without a thought */

extern const struct block_format *const block_formats_start[], *const block_formats_end[];

static int image_close(struct block_dev *d);

static const struct block_dev_ops image_ops = {
	.read = thin_read,
	.write = thin_write,
	.flush = thin_flush,
	.discard = thin_discard,
	.write_zeroes = thin_write_zeroes,
	.close = image_close,
};

/* ---- saying what is wrong ---- */

/* Names that an image has are its maker's: what would move the cursor of a terminal is shown as '?'. */
static void say(struct image_why *why, const char *text, va_list ap)
{
	fmt_vsnprintf(why->text, sizeof(why->text), text, ap);
	for (char *p = why->text; *p != '\0'; p++) {
		*p = *p >= ' ' && *p < 0x7f ? *p : '?';
	}
}

static int explain(struct image_why *why, int err, const char *text, ...) PRINTF(3, 4);
static int explain(struct image_why *why, int err, const char *text, ...)
{
	va_list ap;

	va_start(ap, text);
	say(why, text, ap);
	va_end(ap);
	return err;
}

int image_error(struct image *img, int err, const char *text, ...)
{
	va_list ap;

	va_start(ap, text);
	say(&img->why, text, ap);
	va_end(ap);
	return err;
}

int image_corrupt(struct image *img, const char *text, ...)
{
	va_list ap;

	va_start(ap, text);
	say(&img->why, text, ap);
	va_end(ap);
	if (!img->broken) {
		img->broken = true;
		log_printf(LOG_HOST, "%s image: %s", img->fmt->name, img->why.text);
	}
	return -EIO;
}

/* ---- opening ---- */

static const struct block_format *find_format(const char *name)
{
	for (const struct block_format *const *f = block_formats_start; f < block_formats_end;
	     f++) {
		if (strcmp((*f)->name, name) == 0) {
			return *f;
		}
	}
	return NULL;
}

/* Closes without a flush. */
static void destroy(struct image *img)
{
	while (img != NULL) {
		struct image *backing = img->backing;

		if (img->fmt->close != NULL && img->state != NULL) {
			img->fmt->close(img);
		}
		meta_free(img->meta);
		heap_free(img->state);
		if (img->data != img->file) {
			block_file_close(img->data);
		}
		block_file_close(img->file);
		heap_free(img);
		img = backing;
	}
}

static int image_close(struct block_dev *d)
{
	int r = block_flush(d);

	destroy(thin_image(d));
	return r;
}

/* One image without what it stands on; the file is closed on failure. */
static int open_one(const struct image_open_params *p, struct image **out, struct image_why *why)
{
	const struct block_format *fmt = find_format(p->format);
	struct image *img = fmt ? heap_alloc(sizeof(*img)) : NULL;
	int r;

	if (img == NULL) {
		block_file_close(p->file);
		return fmt ? explain(why, -ENOMEM, "out of memory")
			   : explain(why, -EINVAL, "no format is called \"%s\"", p->format);
	}
	img->fmt = fmt;
	img->file = img->data = p->file;
	img->params = p;
	img->zero_detect = !p->no_zero_detect;
	img->repair = p->repair;
	img->dev = (struct block_dev){ .ops = &image_ops,
				       .readonly = p->readonly || p->file->readonly,
				       .immediate = p->file->immediate };
	monitor_init(&img->monitor);
	list_init(&img->spans);
	img->state = heap_alloc(fmt->state_size ? fmt->state_size : 1);
	r = img->state ? fmt->open(img) : image_error(img, -ENOMEM, "out of memory");
	if (r) {
		if (img->why.text[0] == '\0') {
			image_error(img, r, "%s", errno_text(r));
		}
		explain(why, r, "%s image: %s", fmt->name, img->why.text);
		destroy(img);
		return r;
	}
	img->dev.granularity = img->cluster_size;
	img->params = NULL;
	*out = img;
	return 0;
}

/* Only files beside the image: no absolute name, no step up, nothing that means something else. */
static bool is_tame(const char *name)
{
	const char *part = name;

	if (name[0] == '/' || strchr(name, ':') || strchr(name, '\\')) {
		return false;
	}
	while (part != NULL) {
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
			return false;
		}
		part = strchr(part, '/');
		part = part != NULL ? part + 1 : NULL;
	}
	return true;
}

int image_open_extent(struct image *img, const char *name)
{
	const struct image_open_params *p = img->params;
	int r;

	if (!is_tame(name)) {
		return image_error(img, -EINVAL,
				   "extent \"%.80s\" is not a plain name beside the image", name);
	}
	if (p->extent == NULL) {
		return image_error(img, -EINVAL, "has its data in another file, \"%.80s\"", name);
	}
	r = p->extent(p->arg, name, img->dev.readonly, &img->data);
	if (r) {
		img->data = img->file;
		return image_error(img, r, "extent \"%.80s\": %s", name, errno_text(r));
	}
	img->dev.immediate &= img->data->immediate;
	return 0;
}

static int open_backing(const struct image_open_params *p, struct image *top, unsigned int depth,
			struct image **out, struct image_why *why)
{
	const struct image_backing *base = &top->base;
	struct image_open_params bp = {
		.readonly = true, .format = base->format, .extent = p->extent, .arg = p->arg
	};
	int r;

	if (depth == IMAGE_CHAIN_MAX) {
		return explain(why, -EINVAL, "more than %u images above each other: a loop?",
			       IMAGE_CHAIN_MAX);
	}
	if (!is_tame(base->name)) {
		return explain(why, -EINVAL,
			       "backing file \"%.80s\" is not a plain name beside the image",
			       base->name);
	}
	if (base->format[0] == '\0' && p->backing_format != NULL) {
		bp.format = p->backing_format;
	} else if (base->format[0] == '\0') {
		return explain(why, -EINVAL, "the format of backing file \"%.60s\" is not named",
			       base->name);
	}
	if (p->backing == NULL) {
		return explain(why, -EINVAL, "has a backing file, \"%.80s\"", base->name);
	}
	r = p->backing(p->arg, base->name, &bp.file);
	if (r) {
		return explain(why, r, "backing file \"%.80s\": %s", base->name, errno_text(r));
	}
	return open_one(&bp, out, why);
}

int image_open(const struct image_open_params *p, struct block_dev **out, struct image_why *why)
{
	struct image *top = NULL, *img;
	int r = open_one(p, &top, why);
	unsigned int depth = 1;

	for (img = top; r == 0 && img->base.name[0] != '\0'; img = img->backing) {
		r = open_backing(p, img, depth++, &img->backing, why);
		if (r) {
			break;
		}
		top->dev.immediate &= img->backing->dev.immediate;
	}
	if (r == 0 && !top->dev.readonly && top->fmt->start != NULL) {
		r = top->fmt->start(top);
		if (r) {
			explain(why, r, "%s image: %s", top->fmt->name, errno_text(r));
		}
	}
	if (r) {
		destroy(top);
		return r;
	}
	*out = &top->dev;
	return 0;
}

/* ---- the rest ---- */

const char *image_base_name(struct block_dev *d)
{
	return thin_image(d)->base.name;
}

int image_create(struct block_file *f, const struct image_create_params *p, struct image_why *why)
{
	const struct block_format *fmt = find_format(p->format);
	int r;

	if (fmt == NULL) {
		return explain(why, -EINVAL, "no format is called \"%s\"", p->format);
	}
	if (fmt->create == NULL) {
		return explain(why, -ENOTSUP, "%s images cannot be created", p->format);
	}
	if (p->size % BLOCK_SECTOR || (p->backing != NULL && !is_tame(p->backing->name))) {
		return explain(why, -EINVAL,
			       p->size % BLOCK_SECTOR ? "the size is no multiple of 512 bytes"
						      : "the backing file is not a plain name");
	}
	why->text[0] = '\0';
	r = fmt->create(f, p, why);
	r = r ? r : block_file_flush(f);
	if (r && why->text[0] == '\0') {
		explain(why, r, "%s", errno_text(r));
	}
	return r;
}

/* Enters the monitor once no request is under way; none begins until end_rest. */
static void begin_rest(struct image *img, struct span *all)
{
	monitor_enter(&img->monitor);
	span_wait_begin(img, all, 0, UINT64_MAX, true);
}

static void end_rest(struct image *img, struct span *all)
{
	monitor_leave(&img->monitor);
	span_end(img, all);
}

int image_step(struct image *img, uint64_t done, uint64_t total)
{
	const struct image_watch *w = img->watch;

	return w != NULL && w->step(w->arg, done, total) ? -EAGAIN : 0;
}

int image_check(struct block_dev *d, bool repair, const struct image_watch *w,
		struct image_check *result)
{
	struct image *img = thin_image(d);
	struct span all;
	int r;

	memset(result, 0, sizeof(*result));
	if (img->fmt->check == NULL) {
		return -ENOTSUP;
	}
	begin_rest(img, &all);
	img->watch = w;
	r = img->fmt->check(img, repair && !d->readonly, result);
	img->watch = NULL;
	end_rest(img, &all);
	return r;
}

int image_grow(struct block_dev *d, uint64_t size)
{
	struct image *img = thin_image(d);
	struct span all;
	int r;

	if (d->readonly || img->fmt->grow == NULL) {
		return d->readonly ? -EROFS : -ENOTSUP;
	}
	if (size < d->size || size % BLOCK_SECTOR) {
		return -EINVAL;
	}
	if (size > SIZE_MAX_GROWN || (img->backing != NULL && img->backing->dev.size > d->size)) {
		return -ENOTSUP; /* what the backing image has there would be seen */
	}
	begin_rest(img, &all);
	r = thin_touch(img);
	r = r || size == d->size ? r : img->fmt->grow(img, size);
	d->size = r ? d->size : size;
	end_rest(img, &all);
	return r;
}

int image_snapshot_create(struct block_dev *d, const char *name, uint64_t seconds)
{
	struct image *img = thin_image(d);
	struct span all;
	int r;

	if (img->fmt->snapshot == NULL || d->readonly) {
		return d->readonly ? -EROFS : -ENOTSUP;
	}
	begin_rest(img, &all);
	r = img->fmt->snapshot->create(img, name, seconds);
	end_rest(img, &all);
	return r;
}

int image_snapshot_list(struct block_dev *d, unsigned int index, struct image_snapshot *out)
{
	struct image *img = thin_image(d);
	int r;

	if (img->fmt->snapshot == NULL) {
		return -ENOTSUP;
	}
	monitor_enter(&img->monitor);
	r = img->fmt->snapshot->list(img, index, out);
	monitor_leave(&img->monitor);
	return r;
}

static int change_snapshot(struct block_dev *d, const char *name,
			   int (*change)(struct image *img, const char *name))
{
	struct image *img = thin_image(d);
	struct span all;
	int r;

	if (d->readonly) {
		return -EROFS;
	}
	begin_rest(img, &all);
	r = change(img, name);
	end_rest(img, &all);
	return r;
}

int image_snapshot_remove(struct block_dev *d, const char *name)
{
	const struct block_snapshot_ops *ops = thin_image(d)->fmt->snapshot;

	return ops ? change_snapshot(d, name, ops->remove) : -ENOTSUP;
}

int image_snapshot_restore(struct block_dev *d, const char *name)
{
	const struct block_snapshot_ops *ops = thin_image(d)->fmt->snapshot;

	return ops ? change_snapshot(d, name, ops->restore) : -ENOTSUP;
}
